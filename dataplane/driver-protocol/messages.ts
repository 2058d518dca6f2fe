import { jsonTypeName as typeName } from '../datum/type-name.ts';
import type { GlobalOptions } from '../query/engine.ts';
import type { SessionOptions } from '../query/global-options.ts';
import { CompileError, MalformedQueryError, RuntimeError } from '../query/errors.ts';

/** The JSON inside frames: what a client may ask, and the texts of answers. */
const queryType = {
  start: 1,
  continue: 2,
  stop: 3,
  noreplyWait: 4,
  serverInfo: 5,
} as const;

export type ClientQuery =
  | { readonly type: 'start'; readonly term: unknown; readonly options: GlobalOptions }
  | { readonly type: 'continue' | 'stop' | 'noreplyWait' | 'serverInfo' }
  | { readonly type: 'refused'; readonly message: string };

const noOptions: GlobalOptions = Object.freeze({});

const refused = (message: string): ClientQuery => ({ type: 'refused', message });
const unparsed = (reason: string): ClientQuery =>
  refused(`Server could not parse query: ${reason}`);

/** No text stands for bytes that are no UTF-8. */
export function parseQuery(text: string | undefined): ClientQuery {
  const query = text === undefined ? undefined : jsonOf(text);
  if (query === undefined) return refused('Client is buggy (failed to deserialize query).');
  return queryOf(query);
}

/** The value of the text of a query. */
export function queryOf(query: unknown): ClientQuery {
  if (!Array.isArray(query)) {
    return unparsed(`Expected a query to be an array, but found ${typeName(query)}.`);
  }
  if (query.length < 1 || query.length > 3) {
    return unparsed(`Expected 1 to 3 elements in the top-level query, but found ${query.length}.`);
  }
  const type: unknown = query[0];
  if (typeof type !== 'number') {
    return unparsed(`Expected a query type as a number, but found ${typeName(type)}.`);
  }
  switch (type) {
    case queryType.start:
      if (query.length < 2) return unparsed('Expected a term in a START query, but found none.');
      return startOf(query[1], query.length < 3 ? noOptions : query[2]);
    case queryType.continue:
      return { type: 'continue' };
    case queryType.stop:
      return { type: 'stop' };
    case queryType.noreplyWait:
      return { type: 'noreplyWait' };
    case queryType.serverInfo:
      return { type: 'serverInfo' };
    default:
      return unparsed(`Unrecognized QueryType: ${type}.`);
  }
}

function startOf(term: unknown, options: unknown): ClientQuery {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    return unparsed(`Expected global optargs as an object, but found ${typeName(options)}.`);
  return { type: 'start', term, options: options as GlobalOptions };
}

/** The value of a JSON text, which is never undefined. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const clientErrorText = (message: string): string =>
  `{"t":16,"r":[${JSON.stringify(message)}],"b":[]}`;

/** An error of the query; undefined for what no client can cause. */
export function queryErrorText(error: unknown): string | undefined {
  if (error instanceof MalformedQueryError) return clientErrorText(error.message);
  if (!(error instanceof CompileError) && !(error instanceof RuntimeError)) return undefined;
  const [message, backtrace] = [JSON.stringify(error.message), JSON.stringify(error.backtrace)];
  const head = error instanceof CompileError ? '"t":17' : `"t":18,"e":${error.type}`;
  return `{${head},"r":[${message}],"b":${backtrace}}`;
}

export const internalErrorText = (error: unknown): string =>
  `{"t":18,"e":1000000,"r":[${JSON.stringify(`Internal error: ${(error as Error).message}`)}],"b":[]}`;

type Profiled = Pick<SessionOptions, 'profile'>;

const profileText = ({ profile }: Profiled): string => (profile ? ',"p":[]' : '');

export const atomText = (json: string, options: Profiled): string =>
  `{"t":1,"r":[${json}]${profileText(options)}}`;

export function batchText(
  batch: { readonly rows: readonly string[]; readonly done: boolean },
  notes: readonly number[],
  options: Profiled,
): string {
  const rows = batch.rows.join(',');
  return `{"t":${batch.done ? 2 : 3},"r":[${rows}]${profileText(options)},"n":[${notes.join(',')}]}`;
}

export const stoppedText = '{"t":2,"r":[],"n":[]}';
export const waitCompleteText = '{"t":4,"r":[]}';

export const serverInfoText = (server: { readonly id: string; readonly name: string }): string =>
  `{"t":5,"r":[${JSON.stringify({ ...server, proxy: false })}]}`;
