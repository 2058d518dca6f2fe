import { decodeUtf8 } from '../../common/bytes.ts';
import type { Datum } from '../../datum/datum.ts';
import { isDue } from '../../datum/due.ts';
import type { ShardReplica } from '../../shard/shard-replica.ts';
import type { ShardEngine } from '../../wire/shard-engine.ts';
import type { Change, Edit, EditBatch, EditOutcome, Evaluation } from '../../wire/table-edit.ts';
import { failureOf } from '../../wire/table-failure.ts';
import type { TableFailure } from '../../wire/table-failure.ts';

/** Edits whose functions are written in the test, of documents whose keys are whatever a test likes. */
type Scripted = (old: Datum) => Datum;

const scripts = new WeakMap<Change, Scripted>();

function scripted(evaluate: Scripted, replacesDamage = false): Change {
  const change: Change = {
    type: replacesDamage ? 'replace' : 'update',
    by: { text: 'null' },
  };
  scripts.set(change, evaluate);
  return change;
}

/** Of one document, as it is; null deletes. Every engine knows it. */
export const written = (document: Datum): Change => ({
  type: 'replace',
  by: { text: JSON.stringify(document) },
});

const parse = (text: string | undefined): Datum =>
  text === undefined ? null : (JSON.parse(text) as Datum);

export const plainEdits: ShardEngine = {
  begin: () => ({
    evaluate: ({ key, change }, old) => evaluated(key, change, old),
  }),
  // It leaves all rows as they are.
  scan: () => ({
    isSpent: false,
    begin: () => undefined,
    made: () => undefined,
    states: () => [],
  }),
};

function evaluated(key: Uint8Array, change: Change, text: string | undefined): Evaluation {
  const old = parse(text);
  try {
    const next = nextOf(key, change, old);
    const isSame = next === old;
    const made = next === null ? undefined : JSON.stringify(next);
    return { type: 'done', text: isSame ? text : made, isEqual: false };
  } catch (error) {
    return { type: 'failed', error: failureOf(error) };
  }
}

function nextOf(key: Uint8Array, change: Change, old: Datum): Datum {
  const script = scripts.get(change);
  if (script !== undefined) return script(old);
  if (change.type === 'replace' && 'text' in change.by) return parse(change.by.text);
  if (change.type === 'update' && 'text' in change.by) return appended(key, old, change.by.text);
  if (change.type === 'compareAndSet') return parse(change.document?.text);
  if (change.type === 'expire') return isDue(old, change.field, change.nowMs) ? null : old;
  throw new Error(`no test writes by ${change.type}`);
}

/** An update with a text: it goes behind the one that is there. */
function appended(key: Uint8Array, old: Datum, text: string): Datum {
  const { v = '' } = (old ?? {}) as { readonly v?: string };
  return { id: decodeUtf8(key), v: `${v}${text}` };
}

export interface ScriptedEdit {
  readonly key: Uint8Array;
  readonly evaluate: Scripted;
  readonly replacesDamage?: boolean;
}

export interface ScriptedOutcome {
  readonly result: EditOutcome['result'];
  readonly old: Datum;
  readonly new: Datum;
  readonly error?: TableFailure | undefined;
  readonly damage?: string | undefined;
}

/** Whether the log had no room for it. */
export const isRefused = ({ code }: TableFailure): boolean => code.startsWith('wal.');

/** The edits of a document, evaluated by the test while others write it: as a query does with what a shard returned. */
export async function evaluatedOutside(
  group: Pick<ShardReplica, 'edit'>,
  key: Uint8Array,
  evaluate: (old: Datum) => Promise<Datum>,
): Promise<EditOutcome> {
  const fetch: Change = { type: 'fetch', replacesDamage: false };
  let [outcome] = await group.edit(batchOf([{ key, change: fetch }]), never);
  while (outcome?.result === 'returned') {
    const expected = outcome.basis ?? { version: 0, generation: 0 };
    const text = JSON.stringify(await evaluate(parse(outcome.old)));
    const change: Change = {
      type: 'compareAndSet',
      expected,
      document: { text, isChecked: true },
    };
    [outcome] = await group.edit(batchOf([{ key, change }]), never);
  }
  if (outcome === undefined) throw new Error('each edit has an outcome');
  return outcome;
}

const never = new AbortController().signal;

export const batchOf = (
  edits: readonly Edit[],
  durability: EditBatch['durability'] = 'hard',
): EditBatch => ({
  edits,
  durability,
  context: { nowMs: 0, arrayLimit: 100_000 },
  hook: undefined,
  documents: 'all',
});

export const scriptedBatch = (
  edits: readonly ScriptedEdit[],
  durability: EditBatch['durability'] = 'hard',
): EditBatch =>
  batchOf(
    edits.map(({ key, evaluate, replacesDamage }) => ({
      key,
      change: scripted(evaluate, replacesDamage),
    })),
    durability,
  );

export async function editAll(
  group: Pick<ShardReplica, 'edit'>,
  edits: readonly ScriptedEdit[],
  durability: EditBatch['durability'] = 'hard',
  signal: AbortSignal = never,
): Promise<ScriptedOutcome[]> {
  const outcomes = await group.edit(scriptedBatch(edits, durability), signal);
  return outcomes.map(({ result, old, new: next, error, damage }) => ({
    result,
    old: parse(old),
    new: parse(next),
    error,
    damage,
  }));
}
