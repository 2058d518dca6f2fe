import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execPath } from 'node:process';

/**
 * Bugs put into a copy of the sources on purpose: the tests must find each of them. A test
 * suite that a bug survives has proven less than it seems to.
 */
export interface Mutant {
  readonly bug: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

const segmentRow = 'dataplane/wal/segment-row.ts';
const keptSegments = 'dataplane/wal/kept-segments.ts';
const segmentFile = 'dataplane/wal/segment-file.ts';
const segmentScan = 'dataplane/wal/segment-scan.ts';
const appender = 'dataplane/wal/segment-appender.ts';
const writer = 'dataplane/wal/log-writer.ts';

const walMutants: readonly Mutant[] = [
  {
    bug: 'a damaged segment is released like any other',
    file: segmentRow,
    from: 'if (kept.isNeeded(oldest, flushed)) await kept.keep(oldest);',
    to: 'if (kept.isNeeded(oldest, new Map())) await this.#remove(oldest);',
  },
  {
    bug: 'entries of a damaged group are handed out behind the damage',
    file: 'dataplane/wal/open-wal.ts',
    from: '!this.#damages.has(record.group) &&',
    to: '',
  },
  {
    bug: 'the name of a damaged segment that was set aside is not believed',
    file: keptSegments,
    from: 'this.#damaged.set(name, this.note(damage));',
    to: 'if (!damage.message.includes("before")) this.#damaged.set(name, this.note(damage));',
  },
  {
    bug: 'entries behind one that was refused are taken when their group has none',
    file: 'dataplane/wal/refusals.ts',
    from: 'isEntryKind(kind) && wanted !== undefined && wanted !== index',
    to: 'index === -1',
  },
  {
    bug: 'a segment begins without the hard states of its groups',
    file: writer,
    from: 'const isFirst = this.#row.newest.isEmpty && !this.#hardStates.isEmpty;',
    to: 'const isFirst = false;',
  },
  {
    bug: 'the last segment with hard states is released while the newest is empty',
    file: 'dataplane/wal/segment-row.ts',
    from: 'return isLast && !this.#newest.isBegun && !this.#options.hardStates.isEmpty;',
    to: 'return isLast && false;',
  },
  {
    bug: 'a restart leaves entries of older segments in force',
    file: 'dataplane/wal/group-index.ts',
    from: 'ranges.set(group, { first: 0, last: 0 });',
    to: 'ranges.set(group, { first: index, last: 0 });',
  },
  {
    bug: 'hard states stand in a segment that older releases read',
    file: 'dataplane/wal/segment-appender.ts',
    from: 'if (isOld && records.some(({ kind }) => isMemberKind(kind))) return false;',
    to: '',
  },
  {
    bug: 'appends that were refused on a full disk stay in the continuity',
    file: 'dataplane/wal/append-queue.ts',
    from: 'for (const each of [...refused].reverse()) each.undo();',
    to: '',
  },
  {
    bug: 'the directory is not synced after a segment got its name',
    file: segmentFile,
    from: `pathOf(place, name));
  await place.disk.syncDirectory(place.directory);
  await withdrawSegment`,
    to: `pathOf(place, name));
  await withdrawSegment`,
  },
  {
    bug: 'the note of a segment goes before its name is durable',
    file: segmentFile,
    from: `  await place.disk.syncDirectory(place.directory);
  await withdrawSegment(place, header.sequence);`,
    to: `  await withdrawSegment(place, header.sequence);
  await place.disk.syncDirectory(place.directory);`,
  },
  {
    bug: 'the note of a segment is not durable when the one in front of it is finished',
    file: segmentFile,
    from: `  }
  await disk.syncDirectory(directory);
}`,
    to: '  }\n}',
  },
  {
    bug: 'a log that has lost its newest segment is taken for whole',
    file: 'dataplane/wal/open-wal.ts',
    from: 'if (lost !== undefined) throw lost;',
    to: '',
  },
  {
    bug: 'the directory is not synced before released room is used again',
    file: segmentFile,
    from: `pathOf(place, aside));
  await place.disk.syncDirectory(place.directory);`,
    to: 'pathOf(place, aside));',
  },
  {
    bug: 'the directory is not synced at start',
    file: 'dataplane/wal/open-wal.ts',
    from: '  await disk.syncDirectory(directory);\n',
    to: '',
  },
  {
    bug: 'the header of a new segment is not synced at rotation',
    file: segmentFile,
    from: 'await file.writeDurably(0, bytes);',
    to: 'await file.write(0, bytes);',
  },
  {
    bug: 'the index of a finished segment is not synced at rotation',
    file: appender,
    from: 'const written = await this.write({ offset: start, bytes: index });',
    to: 'await this.#file.write(start, index);\n    const written = index.byteLength;',
  },
  {
    bug: 'a failed sync is tried again',
    file: writer,
    from: '() => segment.write(batch));',
    to: '() => segment.write(batch).catch(() => segment.write(batch)));',
  },
  {
    bug: 'the checksum of the last batch is not looked at',
    file: 'dataplane/wal/batch.ts',
    from: 'frame.salt) !== crc) {',
    to: 'frame.salt) !== crc && !isZero(segment, end, segment.byteLength)) {',
  },
  {
    bug: 'damage in the middle of the newest segment is cut',
    file: segmentScan,
    from: 'if (proof === undefined) return;',
    to: 'if (proof === undefined || true) return;',
  },
  {
    bug: 'damage at the end of a segment that a newer one follows is cut',
    file: segmentScan,
    from: 'if (!segment.options.newest) {',
    to: 'if (segment.options.sequence < 0) {',
  },
  {
    bug: 'batch n + 1 is written before the sync of batch n has returned',
    file: writer,
    from: `          await written;
          this.#counters.records += appends.records.length;
          appends.done();`,
    to: `          void written.then(() => appends.done(), () => undefined);
          this.#counters.records += appends.records.length;`,
  },
  {
    bug: 'an append is acknowledged before its sync',
    file: writer,
    from: '          await written;\n          this.#counters.records += appends.records.length;\n          appends.done();',
    to: '          appends.done();\n          await written;\n          this.#counters.records += appends.records.length;',
  },
  {
    bug: 'a write is not synced at all',
    file: appender,
    from: 'await this.#file.writeDurably(offset, bytes);',
    to: 'await this.#file.write(offset, bytes);',
  },
  {
    bug: 'no room is kept for a seal',
    file: appender,
    from: 'export const sealBytes = batchBytes(0);',
    to: 'export const sealBytes = 0;',
  },
  {
    bug: 'what stood in recycled room before is not wiped when a segment is finished',
    file: appender,
    from: 'if (!this.header.recycled) return;',
    to: 'if (this.header.size > 0) return;',
  },
  {
    bug: 'a torn tail is left where it is',
    file: 'dataplane/wal/open-wal.ts',
    from: 'if (segment.tailBytes > 0) await',
    to: 'if (segment.tailBytes < 0) await',
  },
  {
    bug: 'what was read at start is not synced before it is handed out',
    file: 'dataplane/wal/open-wal.ts',
    from: '    await file.sync();\n',
    to: '',
  },
  {
    bug: 'a segment is released although a group still needs it',
    file: keptSegments,
    from: 'return [...ranges].every(',
    to: 'return [...ranges].some(',
  },
  {
    bug: 'a read gives entries that were truncated',
    file: segmentRow,
    from: '{ ...range, to });\n    return { sequence',
    to: 'range);\n    return { sequence',
  },
  {
    bug: 'a truncation alone is missing in the index of its segment',
    file: 'dataplane/wal/group-index.ts',
    from: 'ranges.set(group, { first: Math.min(first, index), last: end });',
    to: 'if (ranges.has(group) || !isTruncation) ranges.set(group, { first: Math.min(first, index), last: end });',
  },
  {
    bug: 'a segment is recycled while it is being read',
    file: segmentRow,
    from: 'return this.#turns.run(() => this.#readFrom(sequence, range));',
    to: 'return this.#readFrom(sequence, range);',
  },
  {
    bug: 'the bound of a holder is not kept',
    file: 'dataplane/wal/retention-holds.ts',
    from: 'retained.bytes <= bytesMax && ageMs <= ageMsMax',
    to: 'retained.bytes >= 0',
  },
  {
    bug: 'the chain of batches is not followed',
    file: segmentScan,
    from: 'batch === undefined || batch.previousCrc !== lastCrc || indexCopies === 2',
    to: 'batch === undefined || indexCopies === 2',
  },
];

const root = join(import.meta.dirname, '..', '..');

/** How often the place of a mutant is found; anything but once means that it has to be rewritten. */
export async function placesOf({ file, from }: Mutant): Promise<number> {
  const text = await readFile(join(root, file), 'utf8');
  return text.split(from).length - 1;
}

/** The sources that mutants are put into, and the tests that must find them, quick ones first. */
export interface MutantSuite {
  readonly mutants: readonly Mutant[];
  /** Below dataplane/. */
  readonly sources: readonly string[];
  /** Below test/: what the tests need beside the sources. */
  readonly testSources?: readonly string[];
  readonly testFiles: readonly string[];
}

const walTests = [
  'busy',
  'crash',
  'recovery',
  'damage',
  'limits',
  'member',
  'wal',
  'continuity',
  'read',
  'recycling',
  'retention-holds',
  'format',
];

export const walSuite: MutantSuite = {
  mutants: walMutants,
  sources: ['common', 'disk', 'wal', 'node/clock.ts'],
  testFiles: walTests.map((name) => `dataplane/wal/${name}.test.ts`),
};

/** A bug may make the tests hang: that is found too. */
const runMsMax = 120_000;

interface Verdict {
  readonly isFound: boolean;
  /** The first test that failed. */
  readonly by: string;
}

/** A copy of the sources in which mutants are put in and taken out, one at a time. */
class MutantRun {
  readonly #directory: string;
  readonly #testFiles: readonly string[];

  constructor(directory: string, testFiles: readonly string[]) {
    this.#directory = directory;
    this.#testFiles = testFiles;
  }

  static async prepare({ sources, testSources = [], testFiles }: MutantSuite): Promise<MutantRun> {
    const directory = await mkdtemp(join(tmpdir(), 'photondb-mutants-'));
    const folders = [
      ...sources.map((folder) => join('dataplane', folder)),
      ...testSources.map((folder) => join('test', folder)),
    ];
    for (const from of folders) {
      await cp(join(root, from), join(directory, from), { recursive: true });
    }
    await cp(join(root, 'package.json'), join(directory, 'package.json'));
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
    return new MutantRun(directory, testFiles);
  }

  async judge({ file, from, to }: Mutant): Promise<Verdict> {
    const path = join(this.#directory, file);
    const text = await readFile(path, 'utf8');
    await writeFile(
      path,
      text.replace(from, () => to),
    );
    const verdict = await this.runTests();
    await writeFile(path, text);
    return verdict;
  }

  /** Runs the tests in the copy until one fails. */
  runTests(): Promise<Verdict> {
    const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
    const options = ['--no-config', '--bail', '--exit', '--timeout', '60000', '--reporter', 'json'];
    return new Promise((resolve) => {
      execFile(
        execPath,
        ['--disable-warning=ExperimentalWarning', mocha, ...options, ...this.#testFiles],
        { cwd: this.#directory, timeout: runMsMax, maxBuffer: 64 * 1_048_576 },
        (error, stdout) =>
          resolve({ isFound: error !== null, by: firstFailure(stdout) ?? 'no end, or a crash' }),
      );
    });
  }

  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** The bugs of a suite that its tests do not find. */
export async function survivorsOf(
  suite: MutantSuite,
  progress: (text: string) => void,
): Promise<string[]> {
  const run = await MutantRun.prepare(suite);
  const survivors: string[] = [];
  try {
    for (const mutant of suite.mutants) {
      const { isFound, by } = await run.judge(mutant);
      progress(`${isFound ? 'found' : 'SURVIVED'}: ${mutant.bug}${isFound ? ` (by: ${by})` : ''}`);
      if (!isFound) survivors.push(mutant.bug);
    }
    return survivors;
  } finally {
    await run.remove();
  }
}

/** Answers how many mutants the tests found; throws with the names of those that survived. */
export async function judgeAll(
  suite: MutantSuite,
  progress: (text: string) => void,
): Promise<number> {
  const run = await MutantRun.prepare(suite);
  const { isFound, by } = await run.runTests();
  await run.remove();
  if (isFound) throw new Error(`the tests fail without a mutant: ${by}`);
  const survivors = await survivorsOf(suite, progress);
  if (survivors.length > 0) throw new Error(`no test finds: ${survivors.join('; ')}`);
  return suite.mutants.length;
}

function firstFailure(report: string): string | undefined {
  try {
    const { failures } = JSON.parse(report.slice(report.indexOf('{'))) as {
      failures: { fullTitle: string }[];
    };
    return failures[0]?.fullTitle;
  } catch {
    return undefined;
  }
}
