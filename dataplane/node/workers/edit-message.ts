import type {
  CapturedValue,
  Change,
  Conflict,
  Edit,
  EditBatch,
  EditValue,
  TermFunction,
} from '../../wire/table-edit.ts';
import { Fields, refused } from './fields.ts';

/**
 * A batch of edits between query worker and core. Edits of one batch may share their change, which is sent once. What the
 * core reads has the types of the contract, whatever was sent.
 */
export function encodeEdits(batch: EditBatch): unknown[] {
  const { edits, durability, context, hook, documents } = batch;
  const positions = new Map<Change, number>();
  const keys: Uint8Array[] = [];
  const changeOf: number[] = [];
  for (const { key, change } of edits) {
    let position = positions.get(change);
    if (position === undefined) {
      position = positions.size;
      positions.set(change, position);
    }
    keys.push(key);
    changeOf.push(position);
  }
  const head = [durability, context.nowMs, context.arrayLimit, hook ?? null, documents];
  return [...head, [...positions.keys()], keys, changeOf];
}

export function decodeEdits(fields: Fields): EditBatch {
  const durability = fields.oneOf(['hard', 'soft'] as const);
  const context = { nowMs: fields.finite(), arrayLimit: fields.finite() };
  const hook = fields.optional((all) => functionIn(all.any()));
  const documents = fields.oneOf(['none', 'changed', 'all'] as const);
  const changes = fields.array().map(changeIn);
  const keys = new Fields(fields.array());
  const changeOf = new Fields(fields.array());
  const edits: Edit[] = [];
  while (keys.hasMore) {
    const change = changes[changeOf.number()];
    if (change === undefined) throw refused('the position of a change', change);
    edits.push({ key: keys.bytes(), change });
  }
  return { edits, durability, context, hook, documents };
}

type Shape = Readonly<Record<string, unknown>>;

function shapeOf(value: unknown): Shape {
  if (typeof value !== 'object' || value === null) throw refused('an object', value);
  return value as Shape;
}

function textIn(value: unknown): string {
  if (typeof value !== 'string') throw refused('a text', value);
  return value;
}

function countIn(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw refused('a number', value);
  return value;
}

function functionIn(value: unknown): TermFunction {
  const { term, captured } = shapeOf(value);
  if (!Array.isArray(captured)) throw refused('an array', captured);
  return { term: textIn(term), captured: captured.map(capturedIn) };
}

function capturedIn(captured: unknown): CapturedValue {
  const { variable, value, isSelection } = shapeOf(captured);
  const text = textIn(shapeOf(value)['text']);
  return { variable: countIn(variable), value: { text }, isSelection: isSelection === true };
}

function valueIn(value: unknown): EditValue {
  return 'term' in shapeOf(value) ? functionIn(value) : { text: textIn(shapeOf(value)['text']) };
}

function documentIn(value: unknown): { readonly text: string; readonly isChecked: boolean } {
  const { text, isChecked } = shapeOf(value);
  return { text: textIn(text), isChecked: isChecked === true };
}

function conflictIn(value: unknown): Conflict {
  if (value === 'error' || value === 'replace' || value === 'update') return value;
  return functionIn(value);
}

function changeIn(value: unknown): Change {
  const change = shapeOf(value);
  const { type } = change;
  switch (type) {
    case 'insert':
      return {
        type,
        document: documentIn(change['document']),
        isKeyGenerated: change['isKeyGenerated'] === true,
        conflict: conflictIn(change['conflict']),
      };
    case 'update':
    case 'replace':
      return { type, by: valueIn(change['by']) };
    case 'delete':
      return { type };
    case 'expire':
      return { type, field: textIn(change['field']), nowMs: countIn(change['nowMs']) };
    case 'fetch':
      return { type, replacesDamage: change['replacesDamage'] === true };
    case 'compareAndSet': {
      const { version, generation } = shapeOf(change['expected']);
      const { document } = change;
      const isText = document !== null && document !== undefined;
      return {
        type,
        expected: { version: countIn(version), generation: countIn(generation) },
        document: isText ? documentIn(document) : document,
      };
    }
    default:
      throw refused('a change', type);
  }
}
