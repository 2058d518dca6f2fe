/**
 * Where sources use the machine's own clock, timers or chance. Only `dataplane/node` and programs that a user
 * runs may: everything else is handed a `Clock` and a `Chance`, so that a simulation runs the same code.
 */
const names: Readonly<Record<string, RegExp>> = {
  'Date.now': /\bDate\.now\b/,
  'new Date()': /\bnew Date\(\s*\)/,
  performance: /\bperformance\.(?:now|timeOrigin)\b/,
  'process.hrtime': /\bprocess\.(?:hrtime|uptime|nextTick)\b/,
  timers: /(?<![.\w])(?:setTimeout|setInterval|setImmediate)\s*\(/,
  'node:timers': /['"]node:timers(?:\/promises)?['"]/,
  'node:perf_hooks': /['"]node:perf_hooks['"]/,
  'AbortSignal.timeout': /\bAbortSignal\.timeout\b/,
  'Math.random': /\bMath\.random\b/,
  crypto: /\b(?:randomBytes|randomInt|randomUUID|randomFill\w*|getRandomValues)\b/,
};

/** Folders and programs that own the machine's clock and chance. */
const owners = [/^dataplane\/node\//, /^dataplane\/\w+\/tool\//];

/** Each with its reason, and the names that it may use. */
const exceptions: Readonly<Record<string, { readonly why: string; readonly uses: string[] }>> = {
  'dataplane/http/admin-page.ts': {
    why: 'the text of a page, which runs in a browser',
    uses: ['performance', 'timers'],
  },
  'dataplane/net/tls-transport.ts': {
    why: 'a TLS handshake happens on a real socket only; sessions run on the clock',
    uses: ['AbortSignal.timeout'],
  },
  'dataplane/security/certificates.ts': {
    why: 'serial numbers come from the provider that makes the keys',
    uses: ['crypto'],
  },
};

const withoutComments = (text: string): string =>
  text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');

/** The names that a source uses and may not. */
export function machineNames(path: string, text: string): string[] {
  if (owners.some((owner) => owner.test(path))) return [];
  const code = withoutComments(text);
  const allowed = exceptions[path]?.uses ?? [];
  return Object.entries(names)
    .filter(([name, pattern]) => pattern.test(code) && !allowed.includes(name))
    .map(([name]) => `${path}: ${name}`);
}

/** Exceptions that nothing needs any more. */
export function unusedExceptions(read: (path: string) => string): string[] {
  return Object.entries(exceptions).flatMap(([path, { uses }]) => {
    const code = withoutComments(read(path));
    return uses
      .filter((name) => names[name]?.test(code) !== true)
      .map((name) => `${path}: ${name}`);
  });
}
