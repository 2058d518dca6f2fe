import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask, bodyOf } from './authority/testing/signing-client.ts';
import { eventually, installTypes, manifestOf } from './cluster/testing/api-types.ts';
import type { KubeObject } from './kube/object.ts';
import { resources } from './kube/object.ts';
import type { TestNamespace } from './kube/testing/control-plane.ts';
import { testNamespace } from './kube/testing/control-plane.ts';

interface Lease extends KubeObject {
  readonly spec?: { readonly holderIdentity?: string };
}

class Program {
  readonly #child: ChildProcess;
  output = '';
  errors = '';

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    const file = join(import.meta.dirname, 'main.ts');
    this.#child = spawn(process.execPath, [file, ...args], { env, stdio: 'pipe' });
    this.#child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.errors += chunk.toString()));
  }

  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async exitCode(signal?: NodeJS.Signals): Promise<number | null> {
    if (this.isOver) return this.#child.exitCode;
    const exit = once(this.#child, 'exit');
    if (signal !== undefined) this.#child.kill(signal);
    await exit;
    return this.#child.exitCode;
  }
}

describe('the operator as a program', function () {
  this.timeout(60_000);
  const started: Program[] = [];
  let at: TestNamespace;

  const start = (args: readonly string[], env?: Record<string, string>): Program => {
    const program = new Program(args, env);
    started.push(program);
    return program;
  };

  const operator = (name: string, more: readonly string[] = []): Program => {
    const path = process.env['PHOTONDB_TEST_KUBECONFIG'] ?? '';
    const where = ['--watch-namespaces', at.namespace, '--pod-namespace', at.namespace];
    const how = ['--http-bind', '127.0.0.1', '--http-port', '0', '--pod-name', name];
    return start([...where, ...how, ...more], { PHOTONDB_OPERATOR_KUBECONFIG: path });
  };

  const holder = async (): Promise<string> => {
    const name = { namespace: at.namespace, name: 'photondb-operator' };
    const lease = await at.client.find<Lease>(resources.leases, name);
    return lease?.spec?.holderIdentity ?? '';
  };

  before(async () => {
    at = await testNamespace('program');
    await installTypes(at.client, at.namespace);
  });

  after(async () => {
    await Promise.all(started.map((program) => program.exitCode('SIGKILL')));
    await at.remove();
  });

  it('exits with 2 and one sentence for an unknown option', async () => {
    const program = start(['--watch-namespace', 'a']);
    expect(await program.exitCode()).to.equal(2);
    expect(program.errors).to.equal('unknown flag --watch-namespace: --help lists what there is\n');
  });

  it('ends with 2 and one sentence outside of a pod and without a kubeconfig', async () => {
    const program = start([]);
    expect(await program.exitCode()).to.equal(2);
    expect(program.errors).to.contain('not in a pod');
    expect(program.errors.trim().split('\n').length).to.equal(1);
  });

  it('shows its options', async () => {
    const program = start(['--help']);
    expect(await program.exitCode()).to.equal(0);
    expect(program.output).to.contain('--watch-namespaces');
  });

  it('leads alone, hands over at SIGTERM, and writes one JSON object for each line', async () => {
    const first = operator('first');
    await eventually('the first to lead', async () => (await holder()).startsWith('first_'));
    const second = operator('second');
    await eventually('the second to wait', async () =>
      second.output.includes('another process is the leader'),
    );
    expect(await holder()).to.match(/^first_/);

    expect(await first.exitCode('SIGTERM')).to.equal(0);
    await eventually('the second to lead', async () => (await holder()).startsWith('second_'));
    expect(await second.exitCode('SIGTERM')).to.equal(0);
    expect(await holder()).to.equal('');
    for (const line of [first, second].flatMap(({ output }) => output.trim().split('\n'))) {
      expect(JSON.parse(line)).to.include.keys('level', 'message', 'timestamp');
    }
    expect(first.errors + second.errors).to.equal('');
  });

  it('answers requests for certificates, also while another one leads', async () => {
    const signing = ['--signing-endpoint', 'https://operator.test:8443', '--signing-port', '0'];
    const programs = [operator('leader', signing), operator('standby', signing)];
    const metadata = { name: 'orders', namespace: at.namespace };
    await at.client.apply(resources.photonClusters, manifestOf('orders', at.namespace));
    const field = (program: Program, message: string, name: string): unknown => {
      const line = program.output.split('\n').find((each) => each.includes(`"${message}"`));
      return line === undefined ? undefined : (JSON.parse(line) as Record<string, unknown>)[name];
    };
    let ca = '';
    await eventually('the authority', async () => {
      const trust = await at.client.find<KubeObject & { readonly data: Record<string, string> }>(
        resources.configMaps,
        { ...metadata, name: 'orders-ca' },
      );
      ca = trust?.data['ca.crt'] ?? '';
      return ca !== '' && trust?.data['endpoint'] === 'https://operator.test:8443';
    });
    for (const program of programs) {
      await eventually('its ports', async () => program.output.includes('issues certificates'));
      const port = Number(field(program, 'issues certificates', 'port'));
      const serverName = `orders.${at.namespace}.signing.photondb.io`;
      await eventually('an answer', async () => {
        const answer = await ask({ port, serverName, ca, token: 'none', body: bodyOf('') }).catch(
          () => undefined,
        );
        return answer?.code === 'unauthenticated';
      });
      const http = Number(field(program, 'started', 'httpPort'));
      const metrics = await (await fetch(`http://127.0.0.1:${http}/metrics`)).text();
      expect(metrics).to.contain(
        'photondb_operator_certificates_total{outcome="unauthenticated"} 1',
      );
    }
    for (const program of programs) expect(await program.exitCode('SIGTERM')).to.equal(0);
    const output = programs.map((program) => program.output).join('');
    expect(output).to.not.contain('PRIVATE KEY');
  });
});
