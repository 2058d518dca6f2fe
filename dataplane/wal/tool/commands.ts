import { toHex } from '../../common/bytes.ts';
import { hardStateKind, restartKind, truncateKind } from '../record.ts';
import { recordsOf } from '../segment-scan.ts';
import type { ScannedSegment } from '../scanned-segment.ts';
import type { InspectedSegment } from './inspect.ts';

/** What the commands need of the outside. */
interface Output {
  /** Resolves when more may be written. */
  line(text: string): Promise<void>;
  problem(text: string): void;
}

export interface DumpFilter {
  readonly group: number | undefined;
  readonly withPayload: boolean;
}

type Segments = AsyncIterable<InspectedSegment>;
/** Whether no damage was found. */
type Command = (segments: Segments, output: Output, filter: DumpFilter) => Promise<boolean>;

function stateOf({ sealed, torn, tailBytes, end }: ScannedSegment): string {
  if (sealed) return 'finished';
  return torn ? `open, torn tail of ${tailBytes} bytes at offset ${end}` : 'open';
}

/** Says of each segment whether it is whole. */
const verify: Command = async (segments, output) => {
  let damaged = 0;
  let count = 0;
  let bytes = 0;
  for await (const { name, found } of segments) {
    count += 1;
    if (found instanceof Error) {
      damaged += 1;
      output.problem(found.message);
      continue;
    }
    bytes += found.end;
    await output.line(`${name} whole, ${stateOf(found)}`);
  }
  await output.line(`${count} segments, ${bytes} bytes in use, ${damaged} damaged`);
  return damaged === 0;
};

const orders: ReadonlyMap<number, string> = new Map([
  [truncateKind, 'truncate'],
  [hardStateKind, 'hard state'],
  [restartKind, 'restart'],
]);

/** One line for each record: segment, offset behind its batch, group, term, index, kind, payload. */
const dump: Command = async (segments, output, { group, withPayload }) => {
  for await (const { name, bytes, found } of segments) {
    if (found instanceof Error) {
      output.problem(found.message);
      return false;
    }
    for (const { record, batchEnd } of recordsOf(bytes, found)) {
      if (group !== undefined && record.group !== group) continue;
      const what = orders.get(record.kind) ?? `${record.payload.byteLength} bytes`;
      const payload = withPayload ? ` ${toHex(record.payload)}` : '';
      await output.line(
        `${name} ${batchEnd} group ${record.group} term ${record.term} index ${record.index} ` +
          `kind ${record.kind} ${what}${payload}`,
      );
    }
  }
  return true;
};

/** What each segment holds, and in all. */
const stat: Command = async (segments, output) => {
  let [records, size, isWhole] = [0, 0, true];
  const groups = new Map<number, { first: number; last: number }>();
  for await (const { name, bytes, found } of segments) {
    if (found instanceof Error) {
      isWhole = false;
      output.problem(found.message);
      continue;
    }
    let count = 0;
    for (const _ of recordsOf(bytes, found)) count += 1;
    for (const [group, { first, last }] of found.ranges) {
      const known = groups.get(group) ?? { first, last };
      // Without an entry here, the segment truncates the group from its first on.
      const end = last < first ? Math.min(known.last, first - 1) : last;
      groups.set(group, { first: Math.min(first, known.first), last: end });
    }
    records += count;
    size += bytes.byteLength;
    const { format, recycled, basePosition } = found.header;
    await output.line(
      `${name} format ${format}, ${stateOf(found)}, ${found.end} of ${bytes.byteLength} bytes, ` +
        `position ${basePosition}, ${count} records of ${found.ranges.size} groups` +
        (recycled ? ', recycled room' : ''),
    );
  }
  for (const [group, { first, last }] of groups) {
    await output.line(`group ${group} entries ${first} to ${last}`);
  }
  await output.line(`${records} records, ${groups.size} groups, ${size} bytes on the disk`);
  return isWhole;
};

export const commands: Readonly<Record<string, Command>> = { verify, dump, stat };
