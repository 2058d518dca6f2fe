import { termNames } from './term-table.ts';

/**
 * Terms as JavaScript drivers write them, for people who look at jobs, hooks and indexes. A long text is
 * cut: the term may hold a hundred megabytes of documents.
 */
const textLengthMax = 4_096;
/** Deeper terms would overflow the stack. */
const depthMax = 200;
const term = {
  datum: 1,
  makeArray: 2,
  makeObject: 3,
  variable: 10,
  implicit: 13,
  call: 64,
  function: 69,
  bracket: 170,
} as const;
/** Terms that begin a query: `r.table`, not the method of a value. */
const roots: ReadonlySet<number> = new Set(
  [
    [11, 12, 14, 15, 57, 58, 59, 60, 61, 62, 65, 98, 99, 101, 103, 136, 137, 143, 151, 153, 154],
    [155, 157, 159, 160, 161, 165, 169, 173, 180, 181],
  ].flat(),
);

class Writer {
  depth = 0;
  #text = '';

  get isFull(): boolean {
    return this.#text.length >= textLengthMax;
  }

  get text(): string {
    return this.isFull ? `${this.#text.slice(0, textLengthMax)}...` : this.#text;
  }

  add(text: string): void {
    this.#text += text.length > textLengthMax ? text.slice(0, textLengthMax) : text;
  }

  /** Items with something between them, as long as there is room. */
  list<T>(items: readonly T[], write: (item: T) => void): void {
    for (const [at, item] of items.entries()) {
      if (this.isFull) return;
      if (at > 0) this.add(', ');
      write(item);
    }
  }
}

export function termText(value: unknown): string {
  const writer = new Writer();
  write(value, writer);
  return writer.text;
}

function write(value: unknown, writer: Writer): void {
  if (writer.isFull) return undefined;
  if (writer.depth >= depthMax) return writer.add('...');
  writer.depth += 1;
  writeValue(value, writer);
  writer.depth -= 1;
  return undefined;
}

function writeValue(value: unknown, writer: Writer): void {
  if (typeof value === 'string') return writer.add(JSON.stringify(value.slice(0, textLengthMax)));
  if (typeof value !== 'object' || value === null) return writer.add(String(value));
  if (!Array.isArray(value)) return writeObject(value, writer);
  const [number, args, options] = value as [unknown, unknown, unknown];
  return writeTerm(Number(number), Array.isArray(args) ? (args as unknown[]) : [], {
    options: typeof options === 'object' && options !== null ? options : {},
    writer,
  });
}

function writeObject(fields: object, writer: Writer): void {
  writer.add('{');
  writer.list(Object.entries(fields), ([name, field]) => {
    writer.add(`${JSON.stringify(name.slice(0, textLengthMax))}: `);
    write(field, writer);
  });
  writer.add('}');
}

interface Rest {
  readonly options: object;
  readonly writer: Writer;
}

function writeTerm(number: number, args: readonly unknown[], rest: Rest): void {
  const { options, writer } = rest;
  switch (number) {
    case term.datum:
      return write(args[0], writer);
    case term.makeArray:
      writer.add('[');
      writer.list(args, (each) => write(each, writer));
      return writer.add(']');
    case term.makeObject:
      return writeObject(options, writer);
    case term.variable:
      return writer.add(variable(args[0]));
    case term.implicit:
      return writer.add('r.row');
    case term.function:
      return writeFunction(args, writer);
    case term.bracket:
      write(args[0], writer);
      return writeArguments(args.slice(1), rest);
    case term.call:
      // The function comes first on the wire, and last in the text.
      return writeCall('do', [...args.slice(1), args[0]], rest);
    default:
      return writeCall(nameOf(number), args, { ...rest, isRoot: roots.has(number) });
  }
}

const variable = (id: unknown): string => `var_${String(id).replace('-', '_')}`;

function nameOf(number: number): string {
  const name = (termNames.get(number) ?? `term_${number}`).toLowerCase();
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function writeCall(
  name: string,
  args: readonly unknown[],
  rest: Rest & { readonly isRoot?: boolean },
): void {
  const { writer } = rest;
  const isMethod = args.length > 0 && (rest.isRoot !== true || isDatabase(args[0]));
  if (!isMethod) writer.add(`r.${name}`);
  else {
    const [first] = args;
    if (Array.isArray(first) && first[0] !== term.makeArray) write(first, writer);
    else {
      writer.add('r.expr(');
      write(first, writer);
      writer.add(')');
    }
    writer.add(`.${name}`);
  }
  writeArguments(isMethod ? args.slice(1) : args, rest);
}

const isDatabase = (value: unknown): boolean => Array.isArray(value) && value[0] === 14;

function writeArguments(args: readonly unknown[], { options, writer }: Rest): void {
  const given = Object.keys(options).length === 0 ? [] : [options];
  writer.add('(');
  writer.list([...args, ...given], (each) => write(each, writer));
  writer.add(')');
}

function writeFunction([parameters, body]: readonly unknown[], writer: Writer): void {
  const list =
    Array.isArray(parameters) && Array.isArray(parameters[1]) ? parameters[1] : parameters;
  const ids = Array.isArray(list) ? (list as unknown[]) : [];
  writer.add(`function(${ids.map(variable).join(', ')}) { return `);
  write(body, writer);
  writer.add('; }');
}
