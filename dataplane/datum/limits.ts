/** Bounds of values, whoever makes them. */

/**
 * Arrays and objects inside one another. JSON parsers of drivers recurse (Python's stops near 1,000), and
 * so do comparison, keys and text here.
 */
export const datumDepthMax = 500;

/** Elements of an array in a document, whatever `array_limit` a query asked for. */
export const storedArrayMax = 100_000;

/** Half of what one append to the log may hold, so that a document fits beside a full command. */
export const documentBytesMax = 64 * 1_048_576;
