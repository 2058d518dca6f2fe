import { expect } from 'chai';
import type { EventInput, EventObject, EventSeries } from './event-recorder.ts';
import { EventRecorder } from './event-recorder.ts';
import { FakeClock, settle } from './testing/fake-clock.ts';

const microTime = /\.\d{6}Z$/;

class Rig {
  readonly clock = new FakeClock();
  readonly created: EventObject[] = [];
  readonly counted: EventSeries[] = [];
  readonly seen: string[] = [];
  fails = false;
  hangs = false;
  forgets = false;
  readonly recorder: EventRecorder;

  constructor() {
    this.recorder = new EventRecorder({
      clock: this.clock,
      random: () => 0.5,
      controller: 'photondb.io/operator',
      instance: 'operator-1',
      observe: (observation) => this.seen.push(observation),
      sink: {
        create: async (event, signal) => {
          await this.#reach(signal);
          this.created.push(event);
        },
        count: async (_event, series, signal) => {
          await this.#reach(signal);
          if (this.forgets) return false;
          this.counted.push(series);
          return true;
        },
      },
    });
  }

  async #reach(signal: AbortSignal): Promise<void> {
    if (this.fails) throw new Error('refused');
    if (!this.hangs) return;
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('gave up')), { once: true });
    });
  }

  emit(more: Partial<EventInput> = {}): void {
    this.recorder.emit({
      regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'ns', name: 'a', uid: 'u1' },
      type: 'Normal',
      reason: 'Restarted',
      action: 'DeletePod',
      note: 'The pod was outdated.',
      ...more,
    });
  }
}

describe('event recorder', () => {
  it('writes events of events.k8s.io with times of six digits', async () => {
    const rig = new Rig();
    rig.emit();
    await settle();
    expect(rig.created[0]).to.deep.include({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      reportingController: 'photondb.io/operator',
      reportingInstance: 'operator-1',
      type: 'Normal',
      reason: 'Restarted',
      action: 'DeletePod',
      note: 'The pod was outdated.',
    });
    expect(rig.created[0]?.eventTime).to.match(microTime);
    expect(rig.created[0]?.metadata.namespace).to.equal('ns');
  });

  it('counts a repeated event instead of writing it again, and not at each repetition', async () => {
    const rig = new Rig();
    for (let second = 0; second < 120; second += 1) {
      rig.emit();
      await rig.clock.advance(1000);
    }
    expect(rig.created).to.have.length(1);
    expect(rig.counted.length).to.be.within(2, 5);
    expect(rig.counted.at(-1)?.lastObservedTime).to.match(microTime);
    await rig.recorder.stop();
    expect(rig.counted.at(-1)?.count).to.equal(120);
  });

  it('creates a counted event again when the server has expired it', async () => {
    const rig = new Rig();
    rig.emit();
    await rig.clock.advance(31_000);
    rig.forgets = true;
    rig.emit();
    await settle();
    expect(rig.created).to.have.length(2);
    expect(rig.created[1]?.metadata.name).not.to.equal(rig.created[0]?.metadata.name);
  });

  it('creates the same event again after ten quiet minutes', async () => {
    const rig = new Rig();
    rig.emit();
    await rig.clock.advance(601_000);
    rig.emit();
    await settle();
    expect(rig.created).to.have.length(2);
  });

  it('thins out a stream of different events about one object, not about others', async () => {
    const rig = new Rig();
    for (let index = 0; index < 100; index += 1) rig.emit({ note: `step ${index}` });
    await settle();
    expect(rig.created).to.have.length(25);
    expect(rig.seen.filter((each) => each === 'dropped')).to.have.length(75);
    const other = { apiVersion: 'v1', kind: 'Pod', namespace: 'ns', name: 'b', uid: 'u2' };
    rig.emit({ regarding: other });
    await settle();
    expect(rig.created.at(-1)?.regarding).to.deep.equal(other);
    await rig.clock.advance(300_000);
    rig.emit({ note: 'later' });
    await settle();
    expect(rig.created.at(-1)?.note).to.equal('later');
  });

  it('drops events that the server refuses, after a few attempts, and continues', async () => {
    const rig = new Rig();
    rig.fails = true;
    rig.emit();
    await rig.clock.advance(60_000);
    expect(rig.seen).to.deep.equal(['dropped']);
    rig.fails = false;
    rig.emit({ note: 'next' });
    await settle();
    expect(rig.created).to.have.length(1);
  });

  it('keeps a bounded number of waiting events', async () => {
    const rig = new Rig();
    rig.hangs = true;
    for (let index = 0; index < 700; index += 1) {
      rig.emit({ regarding: { apiVersion: 'v1', kind: 'Pod', name: `p${index}` } });
    }
    expect(rig.seen.length).to.be.within(199, 200);
    const stopping = rig.recorder.stop();
    await rig.clock.advance(2000);
    await stopping;
    expect(rig.clock.timers).to.equal(0);
  });

  it('puts events of cluster-wide objects into the default namespace', async () => {
    const rig = new Rig();
    rig.emit({ regarding: { apiVersion: 'v1', kind: 'Node', name: 'n1' } });
    await settle();
    expect(rig.created[0]?.metadata.namespace).to.equal('default');
  });

  it('cuts long notes at a whole character within the bound of the API', async () => {
    const rig = new Rig();
    rig.emit({ note: 'ä€'.repeat(1000) });
    await settle();
    const note = rig.created[0]?.note ?? '';
    expect(Buffer.byteLength(note)).to.be.within(1000, 1024);
    expect(note).to.match(/^(ä€)+ä?\.\.\.$/);
  });

  it('takes nothing more after its end', async () => {
    const rig = new Rig();
    await rig.recorder.stop();
    rig.emit();
    await settle();
    expect(rig.created).to.have.length(0);
  });
});
