/**
 * What an entry of a group's log is. `empty` opens a term, and `configuration` says who the members are: they take a
 * position, and are nothing to the machine. Kinds from 253 on are orders to the log.
 */
export const entryKind = { command: 1, empty: 2, configuration: 3 } as const;

/** What the log keeps of a group beside its entries; the same numbers as in wal/record.ts. */
export const logOrder = { restart: 253, hardState: 254, truncate: 255 } as const;

/** Whether an entry takes a position and changes nothing. */
export const isOfConsensus = (kind: number): boolean =>
  kind === entryKind.empty || kind === entryKind.configuration;

/** A single-member group never votes: its term is always the same. */
export const onlyTerm = 1;

/** The log's group of the metadata. */
export const metadataGroup = 0;
