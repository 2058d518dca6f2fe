import type { DocumentPlace } from './document.ts';

/** Whether stored text is a document. */
export interface DocumentCheck {
  /** Why it is no document of its key, as the end of a sentence; undefined for one. */
  problemOf(text: string, place: Omit<DocumentPlace, 'old'>): string | undefined;
}
