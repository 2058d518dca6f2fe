import type { Datum } from './datum.ts';
import type { DocumentPlace, ValidDocument } from './document.ts';

/** Documents between values and canonical text. */
export interface DocumentCodec {
  parse(text: string): Datum;
  /** Throws what the client shall see when a value cannot be stored there. */
  validate(document: Datum, place: DocumentPlace): ValidDocument;
  /** Why stored text is no document of its key, as the end of a sentence; undefined for one. */
  problemOf(text: string, place: Omit<DocumentPlace, 'old'>): string | undefined;
}
