import { ByteReader } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import { decodeUtf8, encodeUtf8, noBytes } from '../common/bytes.ts';
import type { Configuration } from '../raft/configuration.ts';
import type { Entry, HardState } from '../raft/entry.ts';
import { readConfiguration, writeConfiguration } from '../raft/message-codec.ts';
import type { Persist } from '../raft/ready.ts';
import { entryKind, logOrder } from './entry-kind.ts';
import type { LogEntry } from './log.ts';
import type { CommittedEntry } from './replicated-group.ts';

/** What a member of a group remembers, as records of the log and back. */
const configurationFormat = 1;
/** Begins the payload of a hard state with more than a vote: no node's name does. */
const returnedMark = 0;

export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const writer = new ByteWriter().u8(configurationFormat);
  writeConfiguration(writer, configuration);
  return writer.finish();
}

/** Throws what a `ByteReader` throws: the bytes were verified by a checksum before. */
export function decodeConfiguration(payload: Uint8Array): Configuration {
  const reader = new ByteReader(payload);
  reader.u8();
  return readConfiguration(reader);
}

/** As a machine and the log have it. */
export function committedEntry(entry: Entry): CommittedEntry {
  const { index, term } = entry;
  switch (entry.kind) {
    case 'command':
      return { index, term, kind: entryKind.command, payload: entry.payload };
    case 'empty':
      return { index, term, kind: entryKind.empty, payload: noBytes };
    case 'configuration': {
      const payload = encodeConfiguration(entry.configuration);
      return { index, term, kind: entryKind.configuration, payload };
    }
  }
}

/** As the machine of consensus has it. */
export function raftEntry({ index, term, kind, payload }: CommittedEntry): Entry {
  if (kind === entryKind.empty) return { kind: 'empty', index, term };
  if (kind === entryKind.configuration)
    return { kind: 'configuration', index, term, configuration: decodeConfiguration(payload) };
  return { kind: 'command', index, term, payload };
}

export function hardStateRecord(
  group: number,
  { term, vote, acknowledged }: HardState,
  committed: number,
): LogEntry {
  const name = vote === undefined ? noBytes : encodeUtf8(vote);
  const payload =
    acknowledged === undefined
      ? name
      : new ByteWriter()
          .u8(returnedMark)
          .u64(acknowledged.term)
          .u64(acknowledged.index)
          .bytes(name)
          .finish();
  return { group, term, index: committed, kind: logOrder.hardState, payload };
}

export interface KnownHardState extends HardState {
  readonly committed: number;
}

export function hardStateOf(record: LogEntry | undefined): KnownHardState {
  if (record === undefined)
    return { term: 0, vote: undefined, acknowledged: undefined, committed: 0 };
  const { term, index: committed, payload } = record;
  const voteIn = (name: Uint8Array) => (name.length === 0 ? undefined : decodeUtf8(name));
  if (payload[0] !== returnedMark)
    return { term, committed, vote: voteIn(payload), acknowledged: undefined };
  const reader = new ByteReader(payload);
  reader.u8();
  const acknowledged = { term: reader.u64(), index: reader.u64() };
  return { term, committed, vote: voteIn(payload.subarray(reader.offset)), acknowledged };
}

/** In the order in which they take effect. */
export function recordsOf(
  group: number,
  persist: Persist,
  hardState: LogEntry | undefined,
): LogEntry[] {
  const { snapshot, truncateFrom, entries } = persist;
  const records: LogEntry[] = hardState === undefined ? [] : [hardState];
  if (snapshot !== undefined) {
    const { index, term } = snapshot;
    records.push({ group, index, term, kind: logOrder.restart, payload: noBytes });
  }
  if (truncateFrom !== undefined)
    records.push({
      group,
      term: 0,
      index: truncateFrom,
      kind: logOrder.truncate,
      payload: noBytes,
    });
  for (const entry of entries) records.push({ group, ...committedEntry(entry) });
  return records;
}
