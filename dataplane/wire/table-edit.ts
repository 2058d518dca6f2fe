import type { TableFailure } from './table-failure.ts';

/**
 * Edits as data. A shard compiles the function of an edit with the engine that it is given, evaluates it on the
 * newest document of the key, and commits the result. What a shard must not evaluate (a function that reads
 * tables, or that needs too much work) is returned to the query with the document and its version, and comes back
 * as `compareAndSet`.
 */
type Durability = 'hard' | 'soft';

/** A self-contained function of a query. */
export interface TermFunction {
  /** JSON text of a FUNC term: its shape, by which shards cache the compiled function. */
  readonly term: string;
  /** The values of its free variables. They are arguments, not part of the shape. */
  readonly captured: readonly CapturedValue[];
}

/** A value as canonical JSON. */
export interface ValueText {
  readonly text: string;
}

export interface CapturedValue {
  /** The number of the variable. */
  readonly variable: number;
  readonly value: ValueText;
  /** Whether it is a selection of one document, which some terms tell from its document. */
  readonly isSelection: boolean;
}

/** A value, or a function of the document. */
export type EditValue = ValueText | TermFunction;

/** What happens to a document whose key exists already. */
export type Conflict = 'error' | 'replace' | 'update' | TermFunction;

/**
 * A document as text. `isChecked`: whoever made it has validated it (`datum/document.ts`) for its key. Nobody
 * believes that of bytes from another node.
 */
export interface DocumentText extends ValueText {
  readonly isChecked: boolean;
}

/** The version of a document that a query was given. */
export interface EditBasis {
  /** 0: there is none. `damagedVersion`: there is one, and nobody can read it. */
  readonly version: number;
  /** Of a document that was not committed yet: a withdrawn version may be given out again in a later generation. */
  readonly generation: number;
}

export const damagedVersion = Number.MAX_SAFE_INTEGER;

export type Change =
  | {
      readonly type: 'insert';
      readonly document: DocumentText;
      /** The client left the key to the database. */
      readonly isKeyGenerated: boolean;
      readonly conflict: Conflict;
    }
  | { readonly type: 'update' | 'replace'; readonly by: EditValue }
  | { readonly type: 'delete' }
  /** Deletes a document whose time in `field` is over. */
  | { readonly type: 'expire'; readonly field: string; readonly nowMs: number }
  /** Changes nothing: the document is returned to be evaluated by the query. */
  | { readonly type: 'fetch'; readonly replacesDamage: boolean }
  /** `document`: null deletes, undefined leaves what is there. Returned when the document has another version. */
  | {
      readonly type: 'compareAndSet';
      readonly expected: EditBasis;
      readonly document: DocumentText | null | undefined;
    };

/** One write to one key. Edits of one batch may share a change. */
export interface Edit {
  readonly key: Uint8Array;
  readonly change: Change;
}

/** What functions of the edits see of their query. */
export interface EditContext {
  /** `r.now()` of the query. */
  readonly nowMs: number;
  readonly arrayLimit: number;
}

export interface EditBatch {
  readonly edits: readonly Edit[];
  readonly durability: Durability;
  readonly context: EditContext;
  /** A function of a context, the old and the new document, through which each of them passes. */
  readonly hook: TermFunction | undefined;
  /** Which outcomes have the documents: none, those of edits that changed something, all. */
  readonly documents: 'none' | 'changed' | 'all';
  /** By which a shard carries out a repeated batch once. */
  readonly session?: EditSession;
}

/** Of a router. A session has one batch under way at a time. */
export interface EditSession {
  readonly id: string;
  /** Another one for each batch, the same for a batch that is sent again; greater than those before. */
  readonly sequence: number;
  /** It was sent before, and nobody knows what became of it. */
  readonly isRepeated: boolean;
}

export const editResults = [
  'inserted',
  'replaced',
  'deleted',
  'unchanged',
  'skipped',
  'failed',
  'returned',
] as const;
export type EditResult = (typeof editResults)[number];

export interface EditOutcome {
  readonly result: EditResult;
  /** Documents before and after, as the batch asks for; undefined where there is none. */
  readonly old?: string | undefined;
  readonly new?: string | undefined;
  /** The documents are left out: with them the answer would be too large. */
  readonly isCut?: true;
  /** Of `failed`. */
  readonly error?: TableFailure;
  /** There was a document, and nobody could read it: why. */
  readonly damage?: string;
  /** Of `returned`: the version of `old`. */
  readonly basis?: EditBasis;
}

/** What evaluates edits for a shard. Compiled functions are cached by their shape. */
export interface EditEngine {
  begin(batch: EditBatch, table: { readonly primaryKey: string }): EditRun;
}

/** The edits of one batch. */
export interface EditRun {
  /** `old`: the document that is there, undefined for none. */
  evaluate(edit: Edit, old: string | undefined): Evaluation;
}

export type Evaluation =
  /** The document that is to be there, undefined for none. `isEqual`: though its text differs, it counts as unchanged. */
  | {
      readonly type: 'done';
      readonly text: string | undefined;
      readonly isEqual: boolean;
    }
  | { readonly type: 'failed'; readonly error: TableFailure }
  /** The query must evaluate it. */
  | { readonly type: 'returned' };
