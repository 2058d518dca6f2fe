/** A chart of lines over a logarithmic axis, as SVG: for documents, so it brings its own background. */
export interface Line {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly lines: readonly Line[];
}

const size = { width: 720, height: 340 } as const;
const plot = { left: 64, right: 500, top: 44, bottom: 284 } as const;
/** Told apart by people who see colours differently; the marks differ as well. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#6a3d9a'] as const;
const font = 'font-family="sans-serif" font-size="13" fill="#222"';

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const short = (value: number): string => String(Math.round(value * 10) / 10);

/** Steps of 1, 2 or 5 times a power of ten; at most six of them. */
function stepOf(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 6));
  return ([1, 2, 5, 10].find((each) => each * power * 6 >= most) ?? 10) * power;
}

class Scales {
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];

  constructor(lines: readonly Line[]) {
    const points = lines.flatMap((line) => line.points);
    this.xTicks = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
    const most = Math.max(...points.map(({ y }) => y));
    const step = stepOf(most);
    const steps = Math.ceil(most / step);
    this.yTicks = Array.from({ length: steps + 1 }, (_, at) => at * step);
  }

  x(value: number): number {
    const [first = 1, last = 1] = [this.xTicks[0], this.xTicks.at(-1)];
    const share = Math.log(value / first) / Math.log(last / first || Math.E);
    return plot.left + share * (plot.right - plot.left);
  }

  y(value: number): number {
    return plot.bottom - (value / (this.yTicks.at(-1) ?? 1)) * (plot.bottom - plot.top);
  }
}

function axes(scales: Scales, { xLabel, yLabel }: Chart): string[] {
  const middle = (plot.top + plot.bottom) / 2;
  return [
    ...scales.yTicks.flatMap((tick) => {
      const y = short(scales.y(tick));
      return [
        `<line x1="${plot.left}" x2="${plot.right}" y1="${y}" y2="${y}" stroke="#ddd"/>`,
        `<text x="${plot.left - 8}" y="${y}" dy="4" text-anchor="end" ${font}>${short(tick)}</text>`,
      ];
    }),
    ...scales.xTicks.map((tick) => {
      const label = tick.toLocaleString('en');
      return `<text x="${short(scales.x(tick))}" y="${plot.bottom + 20}" text-anchor="middle" ${font}>${label}</text>`;
    }),
    `<text x="${(plot.left + plot.right) / 2}" y="${plot.bottom + 44}" text-anchor="middle" ${font}>${escaped(xLabel)}</text>`,
    `<text x="18" y="${middle}" text-anchor="middle" transform="rotate(-90 18 ${middle})" ${font}>${escaped(yLabel)}</text>`,
  ];
}

function drawn(scales: Scales, { name, points }: Line, at: number): string[] {
  const colour = colours[at % colours.length] ?? '#000';
  const places = points.map(({ x, y }) => [short(scales.x(x)), short(scales.y(y))] as const);
  const mark = ([x, y]: readonly [string, string]): string =>
    at % 2 === 0
      ? `<circle cx="${x}" cy="${y}" r="4" fill="${colour}"/>`
      : `<rect x="${Number(x) - 4}" y="${Number(y) - 4}" width="8" height="8" fill="${colour}"/>`;
  const legendY = plot.top + 12 + at * 24;
  return [
    `<polyline points="${places.map((place) => place.join(',')).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...places.map(mark),
    mark([String(plot.right + 24), String(legendY)]),
    `<text x="${plot.right + 36}" y="${legendY}" dy="4" ${font}>${escaped(name)}</text>`,
  ];
}

export function svgOf(chart: Chart): string {
  const scales = new Scales(chart.lines);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${escaped(chart.title)}">`,
    `<rect width="${size.width}" height="${size.height}" fill="#fff"/>`,
    `<text x="${plot.left}" y="24" font-family="sans-serif" font-size="15" font-weight="bold" fill="#222">${escaped(chart.title)}</text>`,
    ...axes(scales, chart),
    ...chart.lines.flatMap((line, at) => drawn(scales, line, at)),
    '</svg>',
    '',
  ].join('\n');
}
