import type { Option } from './options.ts';

/** What an option takes, for people: the end of a sentence. */
export function wordsOf(option: Option): string {
  const { type, values, minimum, maximum, form } = option;
  if (type === 'integer') {
    if (minimum !== undefined && maximum !== undefined) {
      return `a whole number from ${minimum} to ${maximum}`;
    }
    return 'a whole number';
  }
  if (type === 'boolean') return 'true or false';
  if (type === 'list') {
    if (form !== undefined) return `a list separated by commas, each ${form.words}`;
    return values === undefined
      ? 'a list separated by commas'
      : `one or more of ${values.join(', ')}, each once, separated by commas`;
  }
  if (values !== undefined) return `one of ${values.join(', ')}`;
  return form?.words ?? 'a text';
}
