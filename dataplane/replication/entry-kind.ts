/** What an entry of a group's log is. A single-member group never votes: its term is always the same. */
export const entryKind = { command: 1 } as const;
export const onlyTerm = 1;

/** The log's group of the metadata. */
export const metadataGroup = 0;
