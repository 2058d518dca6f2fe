import type { DatumArray, DatumObject } from './datum.ts';

/** What a writer of text does with each array and object before it writes it. */
export interface ContainerChecks {
  array(array: DatumArray): void;
  /** Answers the object in the form that it is written in. */
  object(object: DatumObject): DatumObject;
}
