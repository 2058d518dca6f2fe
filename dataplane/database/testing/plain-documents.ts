import type { DocumentCheck } from '../../datum/document-check.ts';
import type { Datum } from '../../datum/datum.ts';
import { isObject } from '../../datum/object.ts';

/** Documents whose keys are whatever a test likes. */
export const plainDocuments: DocumentCheck = {
  problemOf: (text) => {
    try {
      return isObject(JSON.parse(text) as Datum) ? undefined : 'it is not an object';
    } catch {
      return 'it is not JSON';
    }
  },
};
