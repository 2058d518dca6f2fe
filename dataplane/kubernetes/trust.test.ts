import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { assignmentOf, awaitAssignment } from './assignment.ts';
import type { PhotonNode } from './own-node.ts';
import { decideTrust, TrustWatch } from './trust-watch.ts';
import { listedNodesAt } from './nodes-file.ts';
import { trustedAuthorities } from './trust.ts';

const pem = (text: string): string =>
  `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

/** In place of the hash of a key: what stands in the certificate. */
const hashOf = (certificate: string): string => {
  const [, text = ''] = certificate.split('\n');
  if (text === 'damaged') throw new Error('not a certificate');
  return text;
};

describe('the trust of a node in Kubernetes', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'photondb-trust-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const trusted = (bundle: string | undefined, pins: readonly string[]) => {
    if (bundle !== undefined) writeFileSync(join(directory, 'cluster-ca.crt'), bundle);
    const read = async (): Promise<PhotonNode> => ({ spec: { authorities: pins } });
    return trustedAuthorities({ directory, read, hashOf });
  };

  it('is in the authorities that the ConfigMap brings and the PhotonNode names', async () => {
    const bundle = pem('A') + pem('B') + pem('damaged') + pem('C');
    expect(await trusted(bundle, ['C', 'A', 'damaged'])).to.deep.equal([pem('A'), pem('C')]);
  });

  it('is in nobody before both are there', async () => {
    expect(await trusted(undefined, ['A'])).to.deep.equal([]);
    expect(await trusted(pem('A'), [])).to.deep.equal([]);
  });

  const steps: readonly (readonly [
    about: string,
    trusts: readonly string[],
    certificateOf: string | undefined,
    offered: readonly string[],
    isAdopted: boolean,
    isRenewed: boolean,
  ])[] = [
    ['stays while nothing changes', ['A'], 'A', ['A'], false, false],
    ['stays while nothing is offered', ['A'], 'A', [], false, false],
    ['takes up the next authority, and keeps its certificate', ['A'], 'A', ['A', 'B'], true, false],
    ['renews when the next one signs', ['A', 'B'], 'A', ['B', 'A'], true, true],
    ['renews until it has succeeded', ['B', 'A'], 'A', ['B', 'A'], false, true],
    ['gives up the former one', ['B', 'A'], 'B', ['B'], true, false],
    ['waits for a certificate of those that it does not know', ['A'], 'A', ['C'], false, true],
    ['comes back without a certificate that counts', ['A'], undefined, ['A'], false, true],
  ];
  for (const [about, trusts, certificateOf, offered, isAdopted, isRenewed] of steps) {
    it(about, () => {
      const step = decideTrust({ trusted: trusts, certificateOf }, offered);
      expect(step).to.deep.equal({ isAdopted, isRenewed });
    });
  }

  it('knows the nodes that the operator lists, their addresses and roles', () => {
    expect(listedNodesAt(directory)).to.deep.equal([]);
    const lines = [
      'a-main-0-0 a-main-0-0.a-nodes.x.svc:29015 data,consensus',
      'half a line',
      'a-query-0-0 a-query-0-0.a-nodes.x.svc:29015 coordinator',
      '',
    ];
    writeFileSync(join(directory, 'cluster-nodes'), lines.join('\n'));
    expect(listedNodesAt(directory)).to.deep.equal([
      {
        name: 'a-main-0-0',
        address: 'a-main-0-0.a-nodes.x.svc:29015',
        roles: ['data', 'consensus'],
      },
      {
        name: 'a-query-0-0',
        address: 'a-query-0-0.a-nodes.x.svc:29015',
        roles: ['coordinator'],
      },
    ]);
  });
});

describe('the watch of trust', () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'photondb-trust-'))));
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  class WatchHarness {
    reads = 0;
    pins: readonly string[] = ['A'];
    trusted: readonly string[] = ['A'];
    certificateOf = 'A';
    renewal: Error | undefined;
    readonly #watch: TrustWatch;
    readonly slept: number[] = [];
    readonly said: string[] = [];
    readonly stopping = new AbortController();

    constructor(looks: number) {
      this.#watch = new TrustWatch({
        directory,
        hashOf,
        read: async () => {
          this.reads += 1;
          return { spec: { authorities: this.pins } };
        },
        clock: {
          sleep: async (ms) => {
            this.slept.push(ms);
            if (this.slept.length < looks) return;
            this.stopping.abort(new Error('enough'));
            this.stopping.signal.throwIfAborted();
          },
        },
        chance: { next: () => 1 },
        current: () => ({ trusted: this.trusted, certificateOf: this.certificateOf }),
        adopt: (authorities) => (this.trusted = authorities.map(hashOf)),
        renew: async () => {
          if (this.renewal !== undefined) throw this.renewal;
          this.certificateOf = this.trusted[0] ?? '';
        },
        failed: (message) => this.said.push(message),
      });
    }

    async run(): Promise<void> {
      const end: unknown = await this.#watch
        .run(this.stopping.signal)
        .catch((error: unknown) => error);
      expect(end).to.have.property('message', 'enough');
    }
  }

  it('does not bother the API server while the mounted file stays as it is', async () => {
    writeFileSync(join(directory, 'cluster-ca.crt'), pem('A'));
    const watched = new WatchHarness(5);
    await watched.run();
    expect(watched.reads).to.equal(0);
    expect(watched.slept).to.deep.equal([10_000, 10_000, 10_000, 10_000, 10_000]);
  });

  it('adopts and renews when the file has changed, and the PhotonNode names the same', async () => {
    writeFileSync(join(directory, 'cluster-ca.crt'), pem('B') + pem('A'));
    const watched = new WatchHarness(3);
    await watched.run();
    expect([watched.trusted, watched.certificateOf]).to.deep.equal([['A'], 'A']);
    const again = new WatchHarness(3);
    again.pins = ['A', 'B'];
    await again.run();
    expect([again.trusted, again.certificateOf]).to.deep.equal([['B', 'A'], 'B']);
  });

  it('asks less often while it fails, and says why', async () => {
    writeFileSync(join(directory, 'cluster-ca.crt'), pem('B') + pem('A'));
    const watched = new WatchHarness(8);
    watched.pins = ['A', 'B'];
    watched.renewal = new Error('no route');
    await watched.run();
    expect(watched.slept).to.deep.equal([
      20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000, 300_000,
    ]);
    expect(new Set(watched.said)).to.deep.equal(new Set(['no route']));
    expect(watched.trusted).to.deep.equal(['B', 'A']);
  });
});

describe('what the operator wants of a new node', () => {
  it('is to join as soon as the cluster has an identity, or to found it, or to wait', () => {
    expect(assignmentOf({})).to.deep.equal({ type: 'wait' });
    expect(assignmentOf({ spec: { founder: true } })).to.deep.equal({ type: 'found' });
    const joining = { spec: { founder: true, clusterId: 'c' } };
    expect(assignmentOf(joining)).to.deep.equal({ type: 'join', clusterId: 'c' });
  });

  it('is asked for until it is known, also when the API server does not answer', async () => {
    const answers: readonly (PhotonNode | Error)[] = [
      new Error('no route'),
      { spec: {} },
      { spec: { clusterId: 'c' } },
    ];
    let next = 0;
    const said: string[] = [];
    const assignment = await awaitAssignment({
      read: async () => {
        const answer = answers[next];
        next += 1;
        if (answer instanceof Error) throw answer;
        return answer ?? {};
      },
      waiting: (message) => said.push(message),
      pause: async () => undefined,
      signal: new AbortController().signal,
    });
    expect(assignment).to.deep.equal({ type: 'join', clusterId: 'c' });
    expect(said).to.have.lengthOf(2);
    expect(said[0]).to.contain('no route');
    expect(said[1]).to.contain('is not founded yet');
  });
});
