import { expect } from 'chai';
import type { InformerObservation } from './informer.ts';
import { Informer } from './informer.ts';
import type { CachedObject } from './object.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';
import { ScriptedError, ScriptedSource, object } from './testing/scripted-source.ts';

interface Rig {
  readonly clock: FakeClock;
  readonly source: ScriptedSource;
  readonly informer: Informer<CachedObject>;
  readonly changes: string[];
  readonly seen: InformerObservation[];
}

const never = new AbortController().signal;

function rig(): Rig {
  const clock = new FakeClock();
  const source = new ScriptedSource();
  const changes: string[] = [];
  const seen: InformerObservation[] = [];
  const informer = new Informer<CachedObject>({
    source,
    clock,
    random: () => 0.5,
    relistMs: 600_000,
    observe: (observation) => seen.push(observation),
  });
  informer.onChange(({ type, object }) => {
    changes.push(`${type}:${object.metadata.uid}@${object.metadata.resourceVersion}`);
  });
  return { clock, source, informer, changes, seen };
}

async function synced(): Promise<Rig> {
  const made = rig();
  made.source.listing = { items: [object('a', 'u1', '5')], resourceVersion: '10' };
  made.informer.start();
  await made.informer.synced(never);
  await settle();
  made.changes.length = 0;
  return made;
}

const failures = ({ seen }: Rig): string[] =>
  seen.filter((each) => each.type === 'failed').map((each) => each.during);

describe('informer', () => {
  it('is synced after a listing and not before, however long the server is down', async () => {
    const made = rig();
    const { clock, source, informer } = made;
    source.listing = new Error('connection refused');
    informer.start();
    await clock.advance(120_000);
    expect(informer.hasSynced).to.equal(false);
    expect(failures(made).length).to.be.within(5, 20);
    const aborted = new AbortController();
    const waiting = informer.synced(aborted.signal);
    aborted.abort();
    expect(await waiting).to.equal(false);
    source.listing = { items: [object('a', 'u1', '5')], resourceVersion: '10' };
    await clock.advance(30_000);
    expect(await informer.synced(never)).to.equal(true);
    expect(made.changes).to.deep.equal(['added:u1@5']);
    await informer.stop();
  });

  it('watches from the version of its listing and reports changes', async () => {
    const { source, informer, changes } = await synced();
    expect(source.current.resourceVersion).to.equal('10');
    source.current.send({ type: 'ADDED', object: object('b', 'u2', '11') });
    source.current.send({ type: 'MODIFIED', object: object('a', 'u1', '12') });
    source.current.send({ type: 'DELETED', object: object('b', 'u2', '13') });
    await settle();
    expect(changes).to.deep.equal(['added:u2@11', 'modified:u1@12', 'deleted:u2@13']);
    expect(informer.list().map(({ metadata }) => metadata.name)).to.deep.equal(['a']);
    await informer.stop();
  });

  it('resumes an ended watch from the last event or bookmark, without listing', async () => {
    const { clock, source, informer } = await synced();
    source.current.send({ type: 'MODIFIED', object: object('a', 'u1', '12') });
    source.current.send({ type: 'BOOKMARK', resourceVersion: '40' });
    source.current.send('end');
    await clock.advance(0);
    expect(source.current.resourceVersion).to.equal('40');
    expect(source.lists).to.equal(1);
    await informer.stop();
  });

  it('retries indefinitely after lost connections, each time a little later', async () => {
    const made = await synced();
    const { clock, source, informer } = made;
    for (let loss = 0; loss < 50; loss += 1) {
      source.current.send({ type: 'BOOKMARK', resourceVersion: String(100 + loss) });
      source.current.send(new ScriptedError('connection reset', true));
      await clock.advance(60_000);
      expect(source.open).to.have.length(1);
    }
    await informer.stop();
  });

  it('lists again when the watch reports an error, and reports the difference', async () => {
    const made = await synced();
    const { clock, source, informer, changes } = made;
    source.listing = { items: [object('b', 'u2', '30')], resourceVersion: '31' };
    source.current.send(new ScriptedError('too old resource version', false));
    await clock.advance(1000);
    expect(source.lists).to.equal(2);
    expect(changes).to.deep.equal(['deleted:u1@5', 'added:u2@30']);
    expect(source.current.resourceVersion).to.equal('31');
    await informer.stop();
  });

  it('lists again when a watch can be resumed but never brings anything', async () => {
    const { clock, source, informer } = await synced();
    for (let loss = 0; loss < 4; loss += 1) {
      source.current.send(new ScriptedError('refused', true));
      await clock.advance(10_000);
    }
    expect(source.lists).to.equal(2);
    await informer.stop();
  });

  it('does not run hot against a server that ends each watch at once', async () => {
    const { clock, source, informer } = await synced();
    for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 50) {
      for (const watch of source.open) watch.send('end');
      await clock.advance(50);
    }
    expect(source.watches.length).to.be.lessThan(150);
    await informer.stop();
  });

  it('does not list without end where listing is allowed and watching is not', async () => {
    const { clock, source, informer } = await synced();
    for (let elapsedMs = 0; elapsedMs < 300_000; elapsedMs += 100) {
      for (const watch of source.open) watch.send(new ScriptedError('forbidden', false));
      await clock.advance(100);
    }
    expect(source.lists).to.be.lessThan(30);
    await informer.stop();
  });

  it('waits as long as a busy server asks', async () => {
    const { clock, source, informer } = await synced();
    source.current.send(new ScriptedError('too many requests', true, 7000));
    await clock.advance(6999);
    expect(source.open).to.have.length(0);
    await clock.advance(1);
    expect(source.open).to.have.length(1);
    await informer.stop();
  });

  it('reports an object that was deleted and recreated between two watches as two objects', async () => {
    const { clock, source, informer, changes } = await synced();
    source.listing = { items: [object('a', 'u2', '20')], resourceVersion: '21' };
    source.current.send(new ScriptedError('gone', false));
    await clock.advance(1000);
    expect(changes).to.deep.equal(['deleted:u1@5', 'added:u2@20']);
    await informer.stop();
  });

  it('lists now and then although all seems well, and counts what the watch had missed', async () => {
    const made = await synced();
    const { clock, source, informer, seen } = made;
    source.current.send({ type: 'BOOKMARK', resourceVersion: '50' });
    await clock.advance(700_000);
    source.listing = {
      items: [object('a', 'u1', '5'), object('lost', 'u2', '30'), object('new', 'u3', '60')],
      resourceVersion: '61',
    };
    source.current.send('end');
    await clock.advance(1000);
    const listings = seen.filter((each) => each.type === 'listed');
    expect(listings.at(-1)).to.deep.equal({ type: 'listed', objects: 3, missed: 1 });
    expect(informer.size).to.equal(3);
    await informer.stop();
  });

  it('survives handlers that throw, and calls the others', async () => {
    const made = await synced();
    const { source, informer, changes } = made;
    informer.onChange((change) => {
      if (change.type === 'modified') throw new Error('handler');
    });
    source.current.send({ type: 'MODIFIED', object: object('a', 'u1', '12') });
    source.current.send({ type: 'MODIFIED', object: object('a', 'u1', '13') });
    await settle();
    expect(changes).to.deep.equal(['modified:u1@12', 'modified:u1@13']);
    expect(failures(made)).to.deep.equal(['handler', 'handler']);
    await informer.stop();
  });

  it('has one watch at most, however often it is started and stopped', async () => {
    const { clock, source, informer } = await synced();
    for (let round = 0; round < 10; round += 1) {
      source.current.send(new ScriptedError('reset', true));
      await settle();
      const stopping = informer.stop();
      informer.start();
      informer.start();
      await clock.advance(60_000);
      await stopping;
      expect(source.open).to.have.length(1);
    }
    await Promise.all([informer.stop(), informer.stop()]);
    expect(source.open).to.have.length(0);
    await clock.advance(600_000);
    expect(source.open).to.have.length(0);
    expect(clock.timers).to.equal(0);
  });

  it('takes no late answer into its cache after it was stopped, and reports no error', async () => {
    const made = rig();
    const { source, informer } = made;
    let answer: ((items: readonly CachedObject[]) => void) | undefined;
    source.listing = new Promise((resolve) => {
      answer = (items) => resolve({ items, resourceVersion: '10' });
    });
    informer.start();
    await settle();
    const stopping = informer.stop();
    answer?.([object('a', 'u1', '5')]);
    await stopping;
    expect(informer.size).to.equal(0);
    expect(made.seen).to.deep.equal([]);
  });

  it('sends all existing objects to a late subscriber, until it unsubscribes', async () => {
    const { source, informer } = await synced();
    const told: string[] = [];
    const unsubscribe = informer.onChange(({ type, key }) => {
      told.push(`${type} ${key}`);
    });
    expect(told).to.deep.equal(['added ns/a']);
    unsubscribe();
    source.current.send({ type: 'MODIFIED', object: object('a', 'u1', '12') });
    await settle();
    expect(told).to.have.length(1);
    await informer.stop();
  });

  it('knows how long it has heard nothing', async () => {
    const { clock, source, informer } = await synced();
    await clock.advance(30_000);
    expect(informer.contactAgeMs).to.equal(30_000);
    source.current.send({ type: 'BOOKMARK', resourceVersion: '40' });
    await settle();
    expect(informer.contactAgeMs).to.equal(0);
    await informer.stop();
  });
});
