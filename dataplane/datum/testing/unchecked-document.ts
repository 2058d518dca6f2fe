import { encodeUtf8 } from '../../common/bytes.ts';
import type { Datum } from '../datum.ts';
import type { DocumentBytes, ValidDocument } from '../document.ts';

/** For tests of what lies below documents, whose keys are not those of their documents. */
export function uncheckedDocument(document: Datum): ValidDocument {
  const text = JSON.stringify(document);
  return { text, bytes: encodeUtf8(text) as DocumentBytes };
}
