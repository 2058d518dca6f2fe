/** Bounds of all values. */

/**
 * Arrays and objects inside one another. JSON parsers of drivers recurse (Python's stops near 1,000), and
 * so do comparison, keys and text here.
 */
export const datumDepthMax = 500;

/**
 * Values in a value, however they are shared, and characters of its text: as many as the largest document
 * can have, and about a second of work.
 */
export const datumPartsMax = 2 ** 25;
export const datumTextMax = 2 ** 28;

/** Values in an index key: it is cut long before. */
export const keyPartsMax = 2 ** 20;

/** Of a text that a query puts together: what is longer fits into no document. */
export const stringMax = 2 ** 26;

/** Characters of a value that an error shows. */
export const shownTextMax = 2 ** 20;

/** Elements of an array in a document, whatever `array_limit` a query asked for. */
export const storedArrayMax = 100_000;

/** Half of what one append to the log may hold, so that a document fits beside a full command. */
export const documentBytesMax = 64 * 1_048_576;
