import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { adminPage } from './admin-page.ts';
import type { WebStatus } from './web.ts';

/** As much of a document as the page uses. */
class Element {
  className = '';
  title = '';
  colSpan = 1;
  #text = '';
  #children: Element[] = [];

  get textContent(): string {
    return [this.#text, ...this.#children.map(({ textContent }) => textContent)].join('|');
  }

  set textContent(text: unknown) {
    this.#text = String(text);
    this.#children = [];
  }

  append(...children: Element[]): void {
    this.#children.push(...children);
  }

  replaceChildren(...children: Element[]): void {
    this.#children = children;
  }
}

const table = { database: 'd', name: 't', documents: 7, indexes: 0, reads: 0, writes: 0 };
const status: WebStatus = {
  node: {
    name: 'n1',
    version: '1',
    state: 'ready',
    uptimeSeconds: 1,
    integrity: 'ok',
    storeBytes: 0,
  },
  tables: [
    {
      ...table,
      documents: null,
      shards: [
        {
          leader: 'n2',
          replicas: [
            { node: 'n1', state: 'ready' },
            { node: 'n2', state: 'ready' },
            { node: 'n3', state: 'backfilling' },
          ],
        },
        { leader: null, replicas: [{ node: 'n3', state: 'disconnected' }] },
      ],
    },
  ],
  members: [],
  connections: 0,
  queries: 0,
};

/** The page of answers, one for each time that it asks; after the last one nothing comes. */
async function shown(answers: readonly WebStatus[]) {
  const script = /<script>([^]*)<\/script>/.exec(adminPage)?.[1] ?? '';
  const elements = new Map<string, Element>();
  const left = [...answers];
  const timers: (() => unknown)[] = [];
  let now = 1;
  const byId = (id: string): Element => {
    const found = elements.get(id) ?? new Element();
    elements.set(id, found);
    return found;
  };
  const asked = Promise.withResolvers<void>();
  runInNewContext(script, {
    document: { getElementById: byId, createElement: () => new Element() },
    location: { origin: 'http://n1:8080' },
    performance: { now: () => now },
    fetch: async () => {
      const answer = left.shift();
      if (answer === undefined) throw new Error('unreachable');
      return { ok: true, json: async () => answer };
    },
    setTimeout: () => asked.resolve(),
    setInterval: (run: () => unknown) => timers.push(run),
  });
  await asked.promise;
  return {
    text: (id: string) => byId(id).textContent,
    classOf: (id: string) => byId(id).className,
    pass: (ms: number) => {
      now += ms;
      for (const run of timers) run();
    },
  };
}

describe('the admin page', () => {
  it('shows where the replicas and the leader of each shard are', async () => {
    const page = await shown([status]);
    const [first = '', second = ''] = page.text('shards').split('|d.t').slice(1);
    expect(first).to.contain('1 of 2').and.contain('|n2||');
    expect(first).to.contain('n1: voter').and.contain('n2: leader');
    expect(first).to.contain('n3: learner, backfilling');
    expect(second).to.contain('2 of 2').and.contain('|none|').and.contain('n3: disconnected');
    expect(page.text('tables')).to.contain('|d.t|–|');
  });

  it('says so where one node has all tables', async () => {
    const page = await shown([{ ...status, tables: [{ ...table, shards: [] }] }]);
    expect(page.text('shards')).to.contain('on this node alone');
  });

  it('marks what it shows as old when no answer comes', async () => {
    const page = await shown([status]);
    page.pass(2_000);
    expect([page.text('age'), page.classOf('shards')]).to.deep.equal(['', '']);
    page.pass(28_000);
    expect(page.text('age')).to.equal('as of 30 s ago');
    for (const id of ['tables', 'shards', 'members']) expect(page.classOf(id)).to.equal('stale');
  });
});
