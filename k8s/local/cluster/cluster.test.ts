import { expect } from 'chai';
import { assert as forAll, integer, property } from 'fast-check';
import { LocalError } from '../host/errors.ts';
import { startCluster, stopCluster } from './cluster.ts';
import { freeIndex, isAbandoned } from './instances.ts';
import { buildError, checkGoVersion, goEnvironment } from './kube-build.ts';
import {
  blockOf,
  checkInstanceName,
  instancesMax,
  layoutOf,
  nodeLayout,
  nodesMax,
} from './layout.ts';
import { overlaps } from './network.ts';

const anyIndex = integer({ min: 0, max: instancesMax - 1 });
const anyNode = integer({ min: 1, max: nodesMax });

describe('the layout of a local cluster', () => {
  it('keeps everything of an instance within its block, and its parts apart', () => {
    forAll(
      property(anyIndex, anyNode, anyNode, (index, one, other) => {
        const layout = layoutOf('x', index, true);
        const { block, services } = layout.network;
        const [a, b] = [nodeLayout(layout, one), nodeLayout(layout, other)];
        for (const range of [layout.api, layout.network.host, services, a.address, a.pods]) {
          expect(overlaps(range, block)).to.equal(true);
        }
        expect(overlaps(a.address, services)).to.equal(false);
        expect(overlaps(a.pods, services)).to.equal(false);
        expect(overlaps(a.pods, b.pods)).to.equal(one === other);
        expect(overlaps(a.address, layout.api)).to.equal(false);
        expect(layout.network.device.length).to.be.at.most(15);
      }),
    );
  });

  it('gives two instances nothing in common', () => {
    forAll(
      property(anyIndex, anyIndex, (one, other) => {
        expect(overlaps(blockOf(one), blockOf(other))).to.equal(one === other);
        const [a, b] = [layoutOf('a', one, false), layoutOf('b', other, false)];
        expect(a.api === b.api).to.equal(one === other);
      }),
    );
  });

  it('puts a control plane without nodes on the loopback device', () => {
    expect(layoutOf('x', 3, false).api).to.equal('127.97.3.1');
  });

  it('refuses names that cannot be part of paths, processes and cgroups', () => {
    for (const name of ['up', 'e2e-local-1234', 'a']) {
      expect(() => checkInstanceName(name)).not.to.throw();
    }
    for (const name of ['', 'Up', '1a', 'a/b', '../x', 'a.b', 'a'.repeat(21), 'a b']) {
      expect(() => checkInstanceName(name), name).to.throw(LocalError, 'is no name');
    }
  });
});

describe('addresses', () => {
  it('skip what other instances have and what routes of the machine lead to', () => {
    expect(freeIndex([], [])).to.equal(0);
    expect(freeIndex([{ index: 0 }, { index: 1 }], [])).to.equal(2);
    expect(freeIndex([], ['10.160.4.0/24', '192.168.0.0/16'])).to.equal(1);
  });

  it('run out with a sentence', () => {
    expect(() => freeIndex([], ['10.0.0.0/8'])).to.throw(LocalError, 'no addresses are left');
  });
});

describe('an instance', () => {
  it('is abandoned when its process has ended or the machine was booted', () => {
    const record = { instance: 'x', index: 0, nodes: 0 };
    expect(isAbandoned(record)).to.equal(false);
    const owner = { pid: process.pid, startTime: '1', boot: 'another' };
    expect(isAbandoned({ ...record, owner })).to.equal(true);
  });

  it('with an impossible number of nodes is refused before anything is made', async () => {
    for (const nodes of [-1, 1.5, nodesMax + 1]) {
      const failed = await startCluster({ instance: 'refused', nodes, kube: '/none' }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failed).to.be.instanceOf(LocalError);
    }
  });

  it('that does not exist can be stopped', async () => {
    await stopCluster('never-was');
  });
});

describe('building the program of Kubernetes', () => {
  it('takes Go 1.26 and later', () => {
    for (const version of ['go1.26.0', 'go1.26.8', 'go1.31.2', 'go2.0.0']) {
      expect(() => checkGoVersion(`go version ${version} linux/amd64`)).not.to.throw();
    }
  });

  it('says that Go is too old, and what to do', () => {
    try {
      checkGoVersion('go version go1.19.8 linux/amd64');
    } catch (error) {
      expect(error).to.be.instanceOf(LocalError);
      expect((error as LocalError).code).to.equal('local.go_too_old');
      expect((error as LocalError).remedy).to.contain('go.dev/dl');
      return;
    }
    throw new Error('expected to be refused');
  });

  it('tells a missing network, a full disk and a broken source apart', () => {
    const code = (said: string): string => buildError('build', said).code;
    expect(code('Get "https://x": dial tcp: lookup x: no such host')).to.equal('local.no_network');
    expect(code('proxyconnect tcp: EOF')).to.equal('local.no_network');
    expect(code('write /tmp/x: no space left on device')).to.equal('local.no_space');
    expect(code('./main.go:3:1: syntax error')).to.equal('local.build_failed');
  });
});

describe('the Go of a local cluster', () => {
  it('keeps everything in the cache of the project, and reads what the user has', () => {
    const users = { GOMODCACHE: '/home/u/go/pkg/mod', GOPROXY: 'https://proxy.example,direct' };
    expect(goEnvironment('/cache', users)).to.deep.include({
      GOCACHE: '/cache/go-build',
      GOMODCACHE: '/cache/go-modules',
      GOPROXY: 'file:///home/u/go/pkg/mod/cache/download,https://proxy.example,direct',
      GOFLAGS: '-modcacherw',
    });
    expect(goEnvironment('/cache', { GOPROXY: 'off' })['GOPROXY']).to.equal('off');
  });
});
