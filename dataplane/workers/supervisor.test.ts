import { BoundSocket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { removeDirectory, temporaryDirectory } from '../../test/drivers/serve.ts';
import { FlightRecorder } from '../node/workers/flight-recorder.ts';
import { machineClock } from '../node/clock.ts';
import { RemoteFailure } from './errors.ts';
import type { WorkerEnd } from './query-worker.ts';
import type { QueryWorker } from './query-worker.ts';
import { Supervisor, WorkerStartError } from './supervisor.ts';
import { testLimits } from './testing/limits.ts';

const mebibyte = 1_048_576;

interface Supervised {
  readonly supervisor: Supervisor;
  /** The end of the next worker that ends, and its successor. */
  readonly next: () => Promise<{ readonly end: WorkerEnd; readonly successor: QueryWorker }>;
}

const directory = temporaryDirectory();
const bound = new BoundSocket({ host: '127.0.0.1' });
const supervisors: Supervisor[] = [];

function supervise(welcome = 'hello', silentMsMax = 60_000): Supervised {
  const ends: WorkerEnd[] = [];
  let wake: (successor: QueryWorker) => void = () => undefined;
  const supervisor = new Supervisor({
    count: 2,
    entry: fileURLToPath(new URL('testing/worker.ts', import.meta.url)),
    args: [],
    descriptors: [],
    listenDescriptor: bound.fd(),
    heapMebibytesMax: 64,
    watch: { periodMs: 50, silentMsMax, ownBytesMax: 400 * mebibyte },
    limits: testLimits,
    recorder: () => new FlightRecorder([directory], 'worker'),
    startMsMax: 60_000,
    clock: machineClock,
    chance: { next: () => 0.5 },
    defer: (flush) => void setImmediate(flush),
    failureOf: (error) => (error as Error).message,
    serviceOf: () => ({ serve: () => null, noticed: () => undefined, ended: () => undefined }),
    welcome: () => welcome,
    question: 'how',
    reported: () => undefined,
    served: (worker, isFirst) => void (isFirst || wake(worker)),
    lost: (end) => void ends.push(end),
  });
  supervisors.push(supervisor);
  return {
    supervisor,
    next: async () => {
      const successor = await new Promise<QueryWorker>((resolve) => (wake = resolve));
      return { end: ends.at(-1) as WorkerEnd, successor };
    },
  };
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it succeeded');
}

/** What a worker is asked to do to itself, and how that ends. */
const faults = [
  { deed: 'loop', silentMsMax: 3_000, reason: /^it has not answered for/ },
  { deed: 'strings', reason: /^it uses \d+ MiB of memory, of 400 at most$/ },
  { deed: 'garbage', reason: /announces/ },
  { deed: 'heap', lastWords: /heap/ },
  { deed: 'map', lastWords: /heap/ },
  { deed: 'throw', lastWords: /a fault of the worker/ },
] as const;

describe('the supervisor of query workers', function () {
  this.timeout(120_000);
  after(async () => {
    await Promise.all(supervisors.map((each) => each.stop()));
    bound.close();
    removeDirectory(directory);
  });

  for (const fault of faults) {
    it(`replaces a worker after: ${fault.deed}`, async () => {
      const silentMsMax = 'silentMsMax' in fault ? fault.silentMsMax : 60_000;
      const { supervisor, next } = supervise('hello', silentMsMax);
      await supervisor.start();
      const [victim, other] = supervisor.workers as [QueryWorker, QueryWorker];
      const replaced = next();
      // Most of them do not live to answer.
      victim.channel.request(fault.deed).catch(() => undefined);
      const { end, successor } = await replaced;
      expect(end.pid).to.equal(victim.pid);
      expect(end.hasServed).to.equal(true);
      if ('reason' in fault) expect(end.reason).to.match(fault.reason);
      else expect(end.lastWords).to.match(fault.lastWords);
      expect(successor.pid).to.not.equal(victim.pid);
      expect(await successor.channel.request('how')).to.deep.equal({ doing: 'nothing' });
      expect(await other.channel.request('how')).to.deep.equal({ doing: 'nothing' });
      expect(supervisor.workers).to.have.members([other, successor]);
      expect(supervisor.replaced).to.equal(1);
      await supervisor.stop();
      expect(supervisor.workers).to.deep.equal([]);
    });
  }

  it('replaces a worker that is killed, and ends what it was asked for', async () => {
    const { supervisor, next } = supervise();
    await supervisor.start();
    const [victim] = supervisor.workers as [QueryWorker];
    const asked = failure(victim.channel.request('never'));
    const replaced = next();
    process.kill(victim.pid as number, 'SIGKILL');
    const { end } = await replaced;
    expect(end.how).to.equal('SIGKILL');
    expect(end.reason === undefined || /gone/.test(end.reason)).to.equal(true);
    expect(await asked).to.be.instanceOf(Error);
    await supervisor.stop();
  });

  it('says why the workers of a node do not start', async () => {
    const { supervisor } = supervise('refuse');
    expect(await failure(supervisor.start())).to.be.instanceOf(RemoteFailure);
    const { supervisor: other } = supervise('exit at once');
    const error = await failure(other.start());
    expect(error).to.be.instanceOf(WorkerStartError);
    expect(error.message).to.contain('exit code 7');
  });
});
