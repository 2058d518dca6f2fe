import type { Datum } from '../../datum/datum.ts';
import type { DocumentCodec } from '../../datum/document-codec.ts';
import { isObject } from '../../datum/object.ts';
import { uncheckedDocument } from '../../datum/testing/unchecked-document.ts';

const parse = (text: string): Datum => JSON.parse(text) as Datum;

/** Documents whose keys are whatever a test likes. */
export const plainCodec: DocumentCodec = {
  parse,
  validate: uncheckedDocument,
  problemOf: (text) => {
    try {
      return isObject(parse(text)) ? undefined : 'it is not an object';
    } catch {
      return 'it is not JSON';
    }
  },
};
