import { compareBytes, encodeUtf8 } from '../common/bytes.ts';
import type { Datum } from './datum.ts';
import { DocumentTooLargeError, InvalidDatumError, noValue } from './errors.ts';
import { documentBytesMax, storedArrayMax } from './limits.ts';
import { fieldOf, isObject, pseudoType } from './object.ts';
import { encodeKey } from './key.ts';
import { isPrimaryKey } from './primary-key.ts';
import { checkedObject } from './pseudo-type.ts';
import { checkedText, parseText, prettyText } from './text.ts';
import type { ContainerChecks } from './container-checks.ts';
import { typeName } from './type-name.ts';

/**
 * The check before every table: whatever creates a document (a client, a function of a query, an import), its
 * bytes come from here, and commands of the log take no others. Guarded invariant: what is stored is an
 * object under its own primary key, of values that ReQL has and every driver can read.
 */
declare const checked: unique symbol;

/** UTF-8 of the canonical text of a document that was checked. */
export type DocumentBytes = Uint8Array & { readonly [checked]: true };

export interface ValidDocument {
  readonly text: string;
  readonly bytes: DocumentBytes;
}

/** Where a document goes. */
export interface DocumentPlace {
  readonly key: Uint8Array;
  /** The field that holds the primary key. */
  readonly primaryKey: string;
  /** What is there now; null when nothing is. */
  readonly old: Datum;
}

/** A document as it is stored. Throws an InvalidDatumError that says what is wrong with it. */
export function validDocument(document: Datum, place: DocumentPlace): ValidDocument {
  const text = documentText(document, place);
  return { text, bytes: documentBytes(text) };
}

/** Its canonical text. */
export function documentText(document: Datum, place: DocumentPlace): string {
  const { key, primaryKey, old } = place;
  if (!isObject(document) || pseudoType(document) !== undefined) {
    throw new InvalidDatumError(
      `Inserted value must be an OBJECT (got ${typeName(document)}):\n${prettyText(document)}`,
    );
  }
  const own = fieldOf(document, primaryKey);
  if (own === undefined) {
    throw new InvalidDatumError(
      `Inserted object must have primary key \`${primaryKey}\`:\n${prettyText(document)}`,
    );
  }
  if (!isPrimaryKey(own, key)) {
    throw new InvalidDatumError(
      `Primary key \`${primaryKey}\` cannot be changed (${prettyText(old)} -> ${prettyText(document)})`,
    );
  }
  const text = checkedText(document, storable);
  requireStorableSize(text);
  return text;
}

/** UTF-8 has at most three bytes for a unit of a string. */
function requireStorableSize(text: string): void {
  if (text.length * 3 <= documentBytesMax) return;
  const { byteLength } = encodeUtf8(text);
  if (byteLength <= documentBytesMax) return;
  throw new DocumentTooLargeError(
    `A document of ${byteLength} bytes is too large: ${documentBytesMax} bytes at most.`,
  );
}

/** The bytes of what `documentText` made, and of nothing else. */
export const documentBytes = (text: string): DocumentBytes => encodeUtf8(text) as DocumentBytes;

/**
 * Why stored text is no document of its key, as the end of a sentence; undefined for one. For text that
 * did not come through `validDocument`: of an earlier release, an export, a log that holds anything.
 */
export function documentProblem(
  text: string,
  { key, primaryKey }: Omit<DocumentPlace, 'old'>,
): string | undefined {
  let document: Datum;
  try {
    document = parseText(text);
  } catch {
    return 'it is not JSON';
  }
  if (!isObject(document)) return 'it is not an object';
  const own = fieldOf(document, primaryKey);
  if (own === undefined) return `it has no primary key \`${primaryKey}\``;
  try {
    // Arrays may be longer than they may be now.
    checkedText(document, readable);
    return compareBytes(encodeKey(own), key) === 0 ? undefined : 'it has another primary key';
  } catch (error) {
    return error instanceof InvalidDatumError ? error.message : 'it cannot be read';
  }
}

export const strayLiteral =
  'Stray literal keyword found: literal is only legal inside of the object passed to merge or update and cannot nest inside other literals.';

/** A part of a value as it is answered, so many arrays and objects inside: a literal stands for nothing there. */
export const answerPart = (datum: Datum, depth: number): string =>
  checkedText(datum, answerable, depth);

const answerable: ContainerChecks = {
  array() {},
  object(object) {
    if (pseudoType(object) === 'LITERAL') throw new InvalidDatumError(strayLiteral);
    return object;
  },
};

const readable: ContainerChecks = {
  array() {},
  object(object) {
    if (pseudoType(object) === 'LITERAL') throw new InvalidDatumError(strayLiteral);
    return checkedObject(object);
  },
};

const storable: ContainerChecks = {
  array(array) {
    if (array.length > storedArrayMax)
      throw new InvalidDatumError('Array too large for disk writes (limit 100,000 elements).');
  },
  object(object) {
    const prototype: unknown = Object.getPrototypeOf(object);
    // An object of a class (a selection, a stream) is not data, whatever its fields look like.
    if (prototype !== null && prototype !== Object.prototype)
      throw noValue(object.constructor.name);
    if (pseudoType(object) === 'LITERAL') throw new InvalidDatumError(strayLiteral);
    return checkedObject(object);
  },
};
