/** The words of others in our sentences: bounded, on one line, with their beginning and their end. */

/** Longer words than this are shortened in the middle: a registry's error names its cause last. */
const wordsLengthMax = 700;

export function shortened(text: string, lengthMax = wordsLengthMax): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  if (line.length <= lengthMax) return line;
  const half = Math.floor((lengthMax - 5) / 2);
  return `${line.slice(0, half)} ... ${line.slice(-half)}`;
}

function messageOf(line: string): string | undefined {
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record !== 'object' || record === null) return undefined;
    const { message, error } = record as { readonly message?: unknown; readonly error?: unknown };
    if (typeof message !== 'string') return undefined;
    return typeof error === 'string' ? `${message}: ${error}` : message;
  } catch {
    return undefined;
  }
}

/** The last line of a log, which says why a process has ended; of a JSON line its message. */
export function lastWords(log: string): string | undefined {
  const line = log.trimEnd().split('\n').at(-1)?.trim();
  if (line === undefined || line === '') return undefined;
  return shortened(messageOf(line) ?? line);
}
