import type { Mutant, MutantSuite } from './mutants.ts';

/**
 * Bugs in what lies between the log and the medium of the store. Not among them: a flush that LMDB is not
 * waited for. Its batches resolve after their sync in the release that is used, so it has no visible effect.
 */
const acknowledgement = 'dataplane/shard/acknowledgement.ts';
const applier = 'dataplane/apply/applier.ts';
const directReads = 'dataplane/shard/direct-reads.ts';
const backgroundWork = 'dataplane/maintenance/background-work.ts';
const collector = 'dataplane/maintenance/garbage-collector.ts';
const recovery = 'dataplane/database/recovery.ts';
const proposal = 'dataplane/shard/proposal.ts';
const replay = 'dataplane/apply/replay.ts';
const proposer = 'dataplane/shard/proposer.ts';
const singleNode = 'dataplane/replication/single-node.ts';
const writePath = 'dataplane/shard/write-path.ts';
const apply = 'dataplane/table/apply.ts';
const lmdb = 'dataplane/storage/lmdb-store.ts';

const storageMutants: readonly Mutant[] = [
  {
    bug: 'the position is committed apart from the rows, before them',
    file: applier,
    from: 'this.#applyCommand(transaction, item, { indexes, statistics });',
    to: `setTimeout(() => void this.#options.store.write((later) => {
      const own = new StatisticsChanges(new Map());
      this.#applyCommand(later, item, { indexes, statistics: own });
      own.write(later);
    }));`,
  },
  {
    bug: 'the log is released at the commit of the store, not at its flush',
    file: applier,
    from: '    await store.flushed();\n    // A group that is neither',
    to: '    // A group that is neither',
  },
  {
    bug: 'the log is released up to what was applied while the store flushed',
    file: applier,
    from: '    await store.flushed();\n    // A group that is neither',
    to: `    await store.flushed();
    await new Promise((resolve) => setTimeout(resolve, 2));
    store.read((view) => {
      for (const group of groups) positions.set(group, readApplied(view, group));
    });
    // A group that is neither`,
  },
  {
    bug: 'the log is released whatever the store has',
    file: applier,
    from: 'map((group) => [group, readApplied(view, group)])',
    to: 'map((group) => [group, Number.POSITIVE_INFINITY])',
  },
  {
    bug: 'entries of a table that the store has not told of are released',
    file: applier,
    from: 'group < stored.nextKeyspace && !toCome.has(group)',
    to: '!toCome.has(group)',
  },
  {
    bug: 'index entries are committed apart from the rows',
    file: apply,
    from: '    moveEntries(place, texts);',
    to: `      (globalThis.late ??= []).push((later) => {
        const ownStatistics = later.statistics.ofIndex(index.keyspace);
        moveEntries({ transaction: later.transaction, index, statistics: ownStatistics }, texts);
      });
      if (globalThis.late.length > 1)
        for (const move of globalThis.late.splice(0)) move({ transaction, statistics });`,
  },
  {
    bug: 'statistics are not in the transaction of the rows',
    file: applier,
    from: '    statistics.write(transaction);',
    to: '    setTimeout(() => void this.#options.store.write((later) => statistics.write(later)));',
  },
  {
    bug: 'a commit of the store is one transaction for each of its databases',
    file: lmdb,
    from: 'if (buffer.size > 0) await this.#handOver(buffer);',
    to: `if (buffer.size > 0) for (const only of databaseNames) {
        const replay: typeof buffer.replay = (put, remove) => buffer.replay(
          (name, key, value) => void (name === only && put(name, key, value)),
          (name, key) => void (name === only && remove(name, key)),
        );
        await this.#handOver({ replay } as typeof buffer);
      }`,
  },
  {
    bug: 'replay skips an entry',
    file: replay,
    from: '    return this.#takeCommand(record);\n',
    to: '    return index % 5 === 0 ? undefined : this.#takeCommand(record);\n',
  },
  {
    bug: 'replay begins one entry too late',
    file: recovery,
    from: 'replayFrom: (group) => replay.applied(group) - overlap,',
    to: 'replayFrom: (group) => replay.applied(group) + 1 - overlap,',
  },
  {
    bug: 'a gap in the replayed log is not noticed',
    file: replay,
    from: 'if (index !== before + 1 && this',
    to: 'if (index < before && this',
  },
  {
    bug: 'a log that ends before the store is not noticed',
    file: replay,
    from: 'if (end < applied) throw',
    to: 'if (end < 0) throw',
  },
  {
    bug: 'what was replayed is not served until the store has it',
    file: proposer,
    from: 'if (entry.index > applied.index) entry',
    to: 'if (entry.index < 0) entry',
  },
  {
    bug: 'what was replayed is served although the store has it',
    file: proposer,
    from: 'if (entry.index > applied.index) entry',
    to: 'if (entry.index > 0) entry',
  },
  {
    bug: 'it serves before the store has the tables that were replayed',
    file: recovery,
    from: 'if (replay.last(metadataGroup) !== replay.applied(metadataGroup)) await',
    to: 'if (replay.last(metadataGroup) === -1) await',
  },
  {
    bug: 'an index is built before the store knows of it',
    file: backgroundWork,
    from: '        await this.#options.metadata.settled();\n',
    to: '',
  },
  {
    bug: 'an index is called ready before its entries are on the medium',
    file: 'dataplane/maintenance/index-build.ts',
    from: `    await store.flushed();
    build.flushed();`,
    to: `    build.flushed();`,
  },
  {
    bug: 'what was dropped is called removed before it is on the medium',
    file: collector,
    from: `      await store.flushed();
      await work.change(
        { type: 'cleared'`,
    to: `      await work.change(
        { type: 'cleared'`,
  },
  {
    bug: 'a hard write is acknowledged like a soft one',
    file: 'dataplane/shard/shard-replica.ts',
    from: "batch.durability === 'hard' ? proposed.hard()",
    to: "batch.durability !== 'hard' ? proposed.hard()",
  },
  {
    bug: 'a write is published for direct reads after its acknowledgement',
    file: directReads,
    from: 'queueMicrotask(() => this.#publishAll());',
    to: 'setTimeout(() => this.#publishAll());',
  },
  {
    bug: 'a write that the store has stands for all of its bucket',
    file: 'dataplane/wire/unapplied-block.ts',
    from: 'return after === 0;',
    to: 'return after >= 0;',
  },
  {
    bug: 'a table that was dropped can still be read directly',
    file: directReads,
    from: '    this.#changed.delete(member);\n    this.#publish(member);',
    to: '    this.#changed.delete(member);',
  },
  {
    bug: 'a write that the log has refused stays published',
    file: proposer,
    from: '      this.#ended(proposal);\n      this.#writes',
    to: '      this.#writes',
  },
  {
    bug: 'a write leaves the block when it is committed, before the store has it',
    file: proposer,
    from: '    for (const proposal of this.#proposals.committed(upTo)) {\n      this.#show(proposal);',
    to: `    for (const proposal of this.#proposals.committed(upTo)) {
      this.#show(proposal);
      this.#ended(proposal);`,
  },
  {
    bug: 'a shard acknowledges its soft writes while another one waits for room',
    file: 'dataplane/shard/sharded-table.ts',
    from: '  const settled = await Promise.allSettled(proposed);',
    to: `  const early = proposed.map(async (one) => {
    const value = (await one).soft();
    return { soft: () => value };
  });
  const settled = await Promise.allSettled(early);`,
  },
  {
    bug: 'an edit of several commands is acknowledged by what became of the last one',
    file: acknowledgement,
    from: 'const error = failureOf(proposal);',
    to: `const last = this.#proposals.findLast((each) => each instanceof Proposal);
      const error = failureOf(last === undefined ? proposal : last);`,
  },
  {
    bug: 'an edit of several commands waits for the first one only',
    file: acknowledgement,
    from: 'for (const proposal of this.#distinct()) await proposal.ended();',
    to: 'for (const proposal of [...this.#distinct()].slice(0, 1)) await proposal.ended();',
  },
  {
    bug: 'a sync passes over soft writes that the log refused',
    file: proposal,
    from: 'if (lost !== undefined) throw lost;',
    to: 'if (lost === undefined) return;',
  },
  {
    bug: 'what was read of a document that the log refused is acknowledged',
    file: writePath,
    from: 'if (entry !== undefined) basis = this.#proposalOf(entry, call);',
    to: 'if (entry === undefined) basis = undefined;',
  },
  {
    bug: 'entries behind one that the store has lost are applied',
    file: applier,
    from: 'if (item.index !== before + 1) throw gapInStore(group, before, item.index);',
    to: 'if (item.index === before) throw gapInStore(group, before, item.index);',
  },
  {
    bug: 'a change of the metadata is acknowledged before it is durable',
    file: 'dataplane/database/metadata-group.ts',
    from: '    return ended.promise;',
    to: '    this.committed(position.index);\n    return ended.promise;',
  },
  {
    bug: 'after a restart entries are numbered by the log alone',
    file: singleNode,
    from: 'last: Math.max(last, applied.index)',
    to: 'last',
  },
  {
    bug: 'a late refusal of a withdrawn proposal withdraws what came behind it',
    file: singleNode,
    from: '    if (this.#outstanding.get(index) !== number) return;\n',
    to: '',
  },
  {
    bug: 'the memtable forgets an entry before the store shows it',
    file: applier,
    from: `      this.#applyInto(transaction),
    );`,
    to: `{
      const applied = this.#applyInto(transaction);
      for (const item of applied.items) if (item.type === 'table') item.applied();
      return applied;
    });`,
  },
  {
    bug: 'the metadata is stored without its position',
    file: applier,
    from: '  positions.set(group, item);\n',
    to: '  if (group !== metadataGroup) positions.set(group, item);\n',
  },
  {
    bug: 'a failed commit of the store is passed over',
    file: applier,
    from: '    this.#options.failed(this.#failure);\n',
    to: '',
  },
  {
    bug: 'a failed flush of the store lets the log go all the same',
    file: applier,
    from: '    await store.flushed();\n    // A group that is neither',
    to: '    await store.flushed().catch(() => undefined);\n    // A group that is neither',
  },
  {
    bug: 'an index keeps what a document no longer has',
    file: apply,
    from: "if (next.has(name) || !transaction.remove('index', entry.key)) continue;",
    to: 'if (next.has(name) || entry.key.byteLength > 0) continue;',
  },
  {
    bug: 'an index entry that is gone is still counted',
    file: apply,
    from: '    statistics.subtract(entry.key, entry.value);\n',
    to: '',
  },
  {
    bug: 'a replaced document is counted twice',
    file: apply,
    from: 'if (before !== undefined) statistics.subtract(storedKey, before);',
    to: 'if (operation.body === undefined && before !== undefined) statistics.subtract(storedKey, before);',
  },
];

export const storageSuite: MutantSuite = {
  mutants: storageMutants,
  sources: [
    'common',
    'datum',
    'disk',
    'kv',
    'metadata',
    'partition',
    'replication',
    'integrity',
    'apply',
    'shard',
    'maintenance',
    'transfer',
    'database',
    'storage',
    'table',
    'wal',
    'wire',
    'node/clock.ts',
  ],
  testFiles: [
    'dataplane/database/crash.test.ts',
    'dataplane/database/database.test.ts',
    'dataplane/replication/single-node.test.ts',
    'dataplane/shard/direct-reads.test.ts',
    'dataplane/shard/full-log.test.ts',
    'dataplane/shard/sharded-table.test.ts',
    'dataplane/maintenance/clear.test.ts',
    'dataplane/maintenance/index-build.test.ts',
    'dataplane/storage/lmdb-store.test.ts',
  ],
};
