import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { bar } from './data.ts';
import { describe as describeCluster, isFulfilled } from './install.ts';
import { instructions } from './instructions.ts';
import { parseImage, parseUpOptions } from './options.ts';
import { kubectlProgram } from './record.ts';
import type { Connection } from './record.ts';

describe('what up is asked for', () => {
  it('is a local cluster unless a context is named', () => {
    expect(parseUpOptions([])).to.deep.equal({ mode: 'local', nodes: undefined });
    expect(parseUpOptions(['--kube-nodes', '3'])).to.deep.equal({ mode: 'local', nodes: 3 });
    expect(parseUpOptions(['--help'])).to.deep.equal({ mode: 'help' });
  });

  it('is a mistake in one sentence when it makes no sense', () => {
    const messages = {
      "Unknown option '--nodes'": ['--nodes', '3'],
      "Unexpected argument 'now'": ['now'],
      'a number from 1 to 16': ['--kube-nodes', '0'],
      'not "three"': ['--kube-nodes', 'three'],
      'needs --image': ['--context', 'mine'],
      'goes with --context': ['--image', 'x:1'],
      'exclude each other': ['--context', 'mine', '--image', 'x:1', '--kube-nodes', '2'],
    };
    for (const [message, args] of Object.entries(messages)) {
      const options = parseUpOptions(args);
      expect(options.mode, message).to.equal('mistake');
      expect(options).to.have.property('message').that.contains(message);
    }
  });

  it('may be an image by tag, by digest, and from a registry with a port', () => {
    expect(parseImage('photondb')).to.deep.equal({ repository: 'photondb', tag: 'latest' });
    expect(parseImage('reg:5000/a/photondb:1.2')).to.deep.equal({
      repository: 'reg:5000/a/photondb',
      tag: '1.2',
    });
    expect(parseImage('reg:5000/photondb')).to.deep.include({ repository: 'reg:5000/photondb' });
    expect(parseImage('a/photondb:1@sha256:00ff')).to.deep.equal({
      repository: 'a/photondb',
      digest: 'sha256:00ff',
    });
  });

  it('ends with exit code 2 and says how it is used', () => {
    const program = join(import.meta.dirname, 'main.ts');
    const { status, stderr } = spawnSync(process.execPath, [program, '--bogus'], {
      encoding: 'utf8',
    });
    expect(status).to.equal(2);
    expect(stderr).to.contain("Unknown option '--bogus'").and.to.contain('npm run up');
  });
});

describe('waiting for the cluster', () => {
  const cluster = (generation: number, ...conditions: object[]): never =>
    ({ metadata: { name: 'q', generation }, status: { conditions } }) as never;

  it('believes a condition only for the generation that was applied', () => {
    const ready = { type: 'Ready', status: 'True', observedGeneration: 1 };
    expect(isFulfilled(cluster(1, ready), 'Ready')).to.equal(true);
    expect(isFulfilled(cluster(2, ready), 'Ready')).to.equal(false);
    expect(isFulfilled(cluster(1, { ...ready, status: 'False' }), 'Ready')).to.equal(false);
    expect(isFulfilled(cluster(1), 'Ready')).to.equal(false);
  });

  it('shows what stands in the way, the worst first', () => {
    expect(describeCluster(cluster(1))).to.equal('waiting for the operator');
    const waiting = { type: 'Ready', status: 'False', message: 'pod q-main-0 is not ready\nmore' };
    expect(describeCluster(cluster(1, waiting))).to.equal('pod q-main-0 is not ready');
    const stalled = { type: 'Stalled', status: 'True', reason: 'ForeignObject' };
    expect(describeCluster(cluster(1, waiting, stalled))).to.equal('ForeignObject');
    expect(describeCluster(cluster(1, { type: 'Ready', status: 'True' }))).to.contain('Ready');
  });

  it('draws a bar that stays within its ends', () => {
    expect(bar(0)).to.equal(`[${'.'.repeat(24)}]`);
    expect(bar(0.5)).to.equal(`[${'#'.repeat(12)}${'.'.repeat(12)}]`);
    expect(bar(7)).to.equal(`[${'#'.repeat(24)}]`);
  });
});

describe('the instructions at the end', () => {
  const to = {
    kubeconfig: '/state/kubeconfig',
    kubectl: '/bin/kubectl',
    namespace: 'photondb',
    cluster: 'quickstart',
    driver: '10.160.64.7:28015',
    web: 'http://10.160.64.7:8081',
    user: 'admin',
    password: 'secret',
  };

  const local = instructions(to, { image: 'photondb:0.1.0' });

  it('can be pasted', () => {
    expect(local).to.contain("host: '10.160.64.7', port: 28015, user: 'admin', password: 'secret'");
    expect(local).to.contain("host='10.160.64.7', port=28015");
    expect(local).to.contain('http://10.160.64.7:8081/_admin');
    expect(local).to.contain('.photondb/kubectl get photon,pods');
    expect(local).to.not.contain('port-forward');
  });

  it('hold a program that a Node runs as it stands', () => {
    const [, program = ''] = /JavaScript.*?\n\n(.*?)\n\n/s.exec(local) ?? [];
    const { status, stderr } = spawnSync(process.execPath, ['--check', '--input-type=module'], {
      encoding: 'utf8',
      input: program,
    });
    expect([status, stderr]).to.deep.equal([0, '']);
  });

  it('say which image the nodes have', () => {
    expect(local).to.contain('image photondb:0.1.0');
    expect(instructions(to, { context: 'mine' })).to.not.contain('image');
  });

  it('name the way through the API server of a cluster elsewhere', () => {
    expect(instructions(to, { context: 'mine' })).to.contain(
      '.photondb/kubectl port-forward service/quickstart 28015 8081',
    );
  });
});

describe('the kubectl that up leaves', () => {
  it('is a program with the configuration of what is up, whatever its path', () => {
    const folder = mkdtempSync(join(tmpdir(), "photondb up's $HOME "));
    try {
      const kubectl = join(folder, 'real');
      writeFileSync(kubectl, '#!/bin/sh\nprintf "%s|" "$KUBECONFIG" "$@"\n', { mode: 0o755 });
      const program = join(folder, 'kubectl');
      const text = kubectlProgram({ kubectl, kubeconfig: "/it's/here" } as Connection);
      writeFileSync(program, text, { mode: 0o755 });
      const args = ['get', 'pods', '--selector', 'a b'];
      const { stdout } = spawnSync(program, args, { encoding: 'utf8' });
      expect(stdout).to.equal("/it's/here|get|pods|--selector|a b|");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
