import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { expect } from 'chai';
import r from 'rethinkdb';
import { askAdmin } from '../../dataplane/node/admin-tool/client.ts';
import {
  connect,
  ended,
  fieldOf,
  healthOf,
  launch,
  statusesIn,
  until,
} from './testing/local-cluster.ts';
import type { Shown, Started } from './testing/local-cluster.ts';
import { failedRequestsAt, Traffic } from './testing/traffic.ts';
import { removeDirectory, start, temporaryDirectory } from '../drivers/serve.ts';

/** The types of the driver lack options, and terms on fields. */
type Build = (...args: readonly unknown[]) => Loose;
interface Loose {
  readonly table: Build;
  readonly tableCreate: Build;
  readonly tableDrop: Build;
  readonly tableList: Build;
  readonly insert: Build;
  readonly indexCreate: Build;
  readonly indexWait: Build;
  readonly count: Build;
  readonly get: Build;
  readonly getAll: Build;
  readonly orderBy: Build;
  readonly limit: Build;
  readonly getField: Build;
  readonly coerceTo: Build;
  readonly update: Build;
  readonly add: Build;
  readonly eq: Build;
}
const loose = (query: unknown): Loose => query as Loose;
const run = (query: Loose, connection: r.Connection): Promise<unknown> =>
  (query as unknown as r.Operation<unknown>).run(connection);

describe('a local cluster of three processes', function cluster() {
  this.timeout(120_000);
  let directory: string;
  let all: Started;
  const others: ChildProcess[] = [];

  before(async () => {
    directory = temporaryDirectory();
    all = launch(directory, '--replicated=false');
    await until(() => all.lines.length === 3 || all.child.exitCode !== null);
    expect(all.child.exitCode, all.log()).to.equal(null);
    for (const line of all.lines) await until(async () => (await statusesIn(line)) === alive);
  });

  after(async () => {
    for (const child of others) child.kill('SIGKILL');
    all.child.kill('SIGTERM');
    await ended(all);
    removeDirectory(directory);
  });

  const alive = 'alive alive alive';
  const nodeDirectory = (index: number): string => join(directory, `node${index}`);

  it('prints one line for each node, at ports of their own', () => {
    expect(all.lines.map((line) => fieldOf(line, 'node'))).to.deep.equal([
      'node1',
      'node2',
      'node3',
    ]);
    for (const field of ['pid', 'driver', 'cluster', 'http', 'web']) {
      expect(new Set(all.lines.map((line) => fieldOf(line, field))).size, field).to.equal(3);
    }
  });

  it('answers every query at any node, and changes at one are seen at all', async () => {
    const connections = await Promise.all(all.lines.map(connect));
    const [one, two, three] = connections as [r.Connection, r.Connection, r.Connection];
    const database = loose(r.db('test'));
    const table = database.table('t');
    await run(database.tableCreate('t', { shards: 4 }), two);
    const documents = Array.from({ length: 500 }, (_, id) => ({ id, group: id % 5 }));
    expect(await run(table.insert(documents), three)).to.include({ inserted: 500 });
    await run(table.indexCreate('group'), three);
    await run(table.indexWait('group'), two);
    for (const connection of [one, two, three]) {
      expect(await run(database.tableList(), connection)).to.deep.equal(['t']);
      expect(await run(table.count(), connection)).to.equal(500);
      expect(await run(table.get(7), connection)).to.deep.equal({ id: 7, group: 2 });
      expect(await run(table.getAll(3, { index: 'group' }).count(), connection)).to.equal(100);
      const last = table.orderBy({ index: r.desc('id') }).limit(2);
      const ids = last.getField('id').coerceTo('array');
      expect(await run(ids, connection)).to.deep.equal([499, 498]);
    }
    const adding = table.get(7).update({ n: loose(r.row).getField('group').add(1) });
    expect(await run(adding, two)).to.include({ replaced: 1 });
    expect(await run(table.get(7).getField('n'), three)).to.equal(3);
    // Larger than a frame between nodes.
    const text = 'x'.repeat(6_000_000);
    await run(table.insert({ id: 'large', text }), two);
    expect(await run(table.get('large').getField('text').eq(text), three)).to.equal(true);
    const failure = await run(table.get('none').getField('x'), two).catch((error: Error) => error);
    expect(failure).to.include({ name: 'ReqlNonExistenceError' });
    await run(database.tableDrop('t'), three);
    for (const connection of [one, two, three]) {
      expect(await run(database.tableList(), connection)).to.deep.equal([]);
      await connection.close();
    }
  });

  it('replaces gossip keys, certificates and the authority three times under traffic, without a failed request', async () => {
    const adminOf = (index: number): string => {
      const text = readFileSync(join(nodeDirectory(index), 'cluster', 'admin.json'), 'utf8');
      return (JSON.parse(text) as { readonly address: string }).address;
    };
    const post = (index: number, path: string) =>
      askAdmin(nodeDirectory(1), adminOf(index), { method: 'POST', path: `/admin/v1/${path}` });
    const failedRequests = (): Promise<readonly (readonly string[])[]> =>
      Promise.all(all.lines.map((line) => failedRequestsAt(fieldOf(line, 'http'))));
    const before = await failedRequests();
    const [data, coordinator] = [await connect(all.lines[0]), await connect(all.lines[1])];
    await r.db('test').tableCreate('traffic').run(data);
    const table = r.db('test').table('traffic');
    const loads = [
      new Traffic((count) => table.insert({ id: String(count) }).run(data)),
      new Traffic((count) => table.get(String(count)).run(data)),
      new Traffic(() => r.db('rethinkdb').table('server_status').count().run(coordinator)),
      // Each asks the authority through the session between the nodes.
      new Traffic(() => post(2, 'certificate/renew')),
      new Traffic(() => post(3, 'certificate/renew')),
    ];
    const keys = new Set<string>();
    const authorities = new Set<string>();
    for (let round = 0; round < 3; round += 1) {
      const counts = loads.map(({ count }) => count);
      // Any member may rotate the keys.
      const { keys: present } = await post(1 + round, 'gossip-keys/rotate');
      keys.add(String(present));
      for (const index of [1, 2, 3]) await post(index, 'certificate/renew');
      const said = await admin('rotate-authority');
      expect(said).to.match(/^0 .*"phase": "Stable"/s);
      authorities.add(/"signing": "(.*)"/.exec(said)?.[1] ?? '');
      for (const line of all.lines) expect(await statusesIn(line)).to.equal(alive);
      for (const [at, load] of loads.entries()) {
        await until(() => load.count > (counts[at] ?? 0) || load.failures.length > 0);
      }
    }
    for (const load of loads) {
      await load.stop();
      expect(load.failures).to.deep.equal([]);
    }
    for (const connection of [data, coordinator]) await connection.close();
    expect(await failedRequests()).to.deep.equal(before);
    expect([keys.size, authorities.size]).to.deep.equal([3, 3]);
    expect(await admin('authority', '--address', adminOf(2))).to.match(
      /^1 Node node1 holds the authority of this cluster\. Ask it at /,
    );
    for (const line of all.lines) {
      const metrics = await (await fetch(`http://${fieldOf(line, 'http')}/_metrics`)).text();
      expect(metrics).to.contain('photondb_gossip_deaths_total 0');
    }
  });

  /** As a person would: `npm run admin -- ARGUMENTS`. */
  async function admin(...args: readonly string[]): Promise<string> {
    const path = 'dataplane/node/admin-tool/main.ts';
    const child = spawn(process.execPath, [path, ...args, '--data-dir', nodeDirectory(1)]);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    }
    const code = await ended({ child });
    return `${code} ${said}`;
  }

  it('quarantines a node by order: it keeps its data, serves no clients, and says why everywhere', async () => {
    const connection = await connect(all.lines[0]);
    await r.db('test').tableCreate('q').run(connection);
    await r.db('test').table('q').insert({ id: 1 }).run(connection);
    const countOf = async (): Promise<unknown> => {
      try {
        return await r.db('test').table('q').count().run(connection);
      } catch (error) {
        return `${(error as Error).name}: ${(error as Error).message}`;
      }
    };
    expect(await countOf()).to.equal(1);
    expect(await admin('quarantine', 'node1', '--reason', 'a test')).to.match(
      /^0 quarantine node1/,
    );
    for (const line of all.lines) {
      await until(async () => (await statusesIn(line)) === 'quarantined alive alive');
    }
    const refused =
      'ReqlOpFailedError: Node `node1` is quarantined and serves no clients: it was quarantined by an administrator: a test.';
    expect(await countOf()).to.contain(refused);
    for (const query of [
      r.db('test').table('q').insert({ id: 2 }),
      r.db('test').table('q').get('1'),
      r.db('test').tableCreate('u'),
    ]) {
      let failure = 'none';
      await query.run(connection).catch((error: Error) => (failure = error.message));
      const what = (query as unknown as { toString(): string }).toString();
      expect(failure, what).to.contain('is quarantined and serves no clients');
    }
    const ready = await fetch(`http://${fieldOf(all.lines[0], 'http')}/health/ready`);
    expect(ready.status).to.equal(503);
    expect(await ready.json()).to.deep.equal({
      state: 'Quarantined',
      message: 'quarantined: this node was quarantined by an administrator: a test',
    });
    const other = await fetch(`http://${fieldOf(all.lines[1], 'http')}/health/ready`);
    expect(other.status).to.equal(200);
    const rows = (await (
      await r.db('rethinkdb').table('server_status').run(connection)
    ).toArray()) as unknown as readonly Shown[];
    expect(rows.find(({ name }) => name === 'node1')?.status).to.equal('quarantined');
    const metrics = await (await fetch(`http://${fieldOf(all.lines[1], 'http')}/_metrics`)).text();
    expect(metrics).to.contain('photondb_cluster_members{state="quarantined"} 1');
    expect(await admin('members')).to.match(/node1\tquarantined/);
    expect(await admin('release', 'node1')).to.match(/^0 release node1/);
    for (const line of all.lines) await until(async () => (await statusesIn(line)) === alive);
    await until(async () => (await countOf()) === 1);
    await connection.close();
    const again = await fetch(`http://${fieldOf(all.lines[0], 'http')}/health/ready`);
    expect(again.status).to.equal(200);
  });

  it('drains a node that is named: it is not ready, and the others know', async () => {
    const readyOf = async (): Promise<string> => {
      const answer = await fetch(`http://${fieldOf(all.lines[1], 'http')}/health/ready`);
      const { state } = (await answer.json()) as { readonly state: string };
      return `${answer.status} ${state}`;
    };
    const drainingSeenBy1 = async (): Promise<string> => {
      const answer = await askAdmin(nodeDirectory(1), undefined, {
        method: 'GET',
        path: '/admin/v1/members',
      });
      const members = answer['members'] as readonly (Shown & { readonly isDraining: boolean })[];
      return members
        .filter(({ isDraining }) => isDraining)
        .map(({ name }) => name)
        .join();
    };
    const client = await connect(all.lines[1]);
    // Its admin address is among what it says of itself.
    await until(async () => (await admin('certificate', 'node2')).startsWith('0 '));
    const drained = await admin('drain', 'node2');
    expect(drained).to.match(/^0 .*"phase": "drained",\s+"running": 0,\s+"connections": 1,/s);
    expect(await readyOf()).to.equal('503 Draining');
    // New clients are turned away; those that are there stay.
    const refused = await connect(all.lines[1]).catch((error: Error) => error);
    expect((refused as Error).name).to.equal('ReqlDriverError');
    expect((refused as Error).message).to.match(/Could not connect to .*ECONNRESET/s);
    expect(await r.expr(1).run(client)).to.equal(1);
    await until(async () => (await drainingSeenBy1()) === 'node2');
    expect(await admin('undrain', 'node2')).to.match(/^0 /);
    expect(await readyOf()).to.equal('200 Ready');
    for (const connection of [client, await connect(all.lines[1])]) await connection.close();
    await until(async () => (await drainingSeenBy1()) === '');
    expect(await admin('drain', 'node9')).to.match(/^1 No node is known as node9/);
    expect(await admin('members', 'node2')).to.match(/^2 "members" is about no node/);
  });

  it('refuses orders about nodes that nobody knows, and the removal of the authority', async () => {
    expect(await admin('quarantine', 'node9')).to.match(/^1 No node is known as node9/);
    expect(await admin('remove', 'node1')).to.match(/^1 Node node1 holds the authority/);
    expect(await admin('release')).to.match(/^2 "release" is followed by the name/);
    const forged = {
      type: 'remove',
      clusterId: 'x',
      nodeId: 'y',
      at: 1,
      reason: '',
      signature: '',
    };
    let refusal = 'none';
    await askAdmin(nodeDirectory(1), undefined, {
      method: 'POST',
      path: '/admin/v1/orders',
      body: forged,
    }).catch((error: Error) => (refusal = error.message));
    expect(refusal).to.match(/The body is not valid/);
    const { cluster } = (await (
      await fetch(`http://${fieldOf(all.lines[0], 'http')}/health`)
    ).json()) as { readonly cluster: { readonly clusterId: string; readonly nodeId: string } };
    await askAdmin(nodeDirectory(1), undefined, {
      method: 'POST',
      path: '/admin/v1/orders',
      body: { ...forged, clusterId: cluster.clusterId, nodeId: cluster.nodeId },
    }).catch((error: Error) => (refusal = error.message));
    expect(refusal).to.match(/not signed by an authority of this cluster/);
  });

  it('reports a paused node as dead, and as alive when it continues', async () => {
    const pid = Number(fieldOf(all.lines[1], 'pid'));
    process.kill(pid, 'SIGSTOP');
    try {
      for (const line of [all.lines[0], all.lines[2]]) {
        await until(async () => (await statusesIn(line)) === 'alive dead alive');
      }
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    for (const line of all.lines) await until(async () => (await statusesIn(line)) === alive);
  });

  it('says what is not available when the node with the data does not answer', async () => {
    const two = await connect(all.lines[1]);
    await r.db('test').tableCreate('u').run(two);
    const pid = Number(fieldOf(all.lines[0], 'pid'));
    process.kill(pid, 'SIGSTOP');
    const failure = r
      .db('test')
      .table('u')
      .count()
      .run(two)
      .then(
        () => 'none',
        (error: Error) => `${error.name}: ${error.message}`,
      );
    expect(await failure).to.match(
      /^ReqlOpFailedError: Cannot perform read: primary replica for table `test\.u` not available/,
    );
    // Behind the query, as long as it may come back.
    const late = r.db('test').table('u').insert({ id: 1 }).run(two);
    process.kill(pid, 'SIGCONT');
    expect(await late).to.include({ inserted: 1 });
    for (const line of all.lines) await until(async () => (await statusesIn(line)) === alive);
    await r.db('test').tableDrop('u').run(two);
    await two.close();
  });

  it('reports a killed node as dead everywhere, and as alive under its ID when it is back', async () => {
    const before = (await healthOf(all.lines[0]))['node3'];
    process.kill(Number(fieldOf(all.lines[2], 'pid')), 'SIGKILL');
    for (const line of all.lines.slice(0, 2)) {
      await until(async () => (await statusesIn(line)) === 'alive alive dead');
      const connection = await connect(line);
      const rows = (await (
        await r.db('rethinkdb').table('server_status').run(connection)
      ).toArray()) as unknown as readonly Shown[];
      await connection.close();
      expect(rows.map(({ name, status }) => `${name} ${status}`).sort()).to.deep.equal([
        'node1 alive',
        'node2 alive',
        'node3 dead',
      ]);
      const metrics = await (await fetch(`http://${fieldOf(line, 'http')}/_metrics`)).text();
      expect(metrics).to.contain('photondb_cluster_members{state="dead"} 1');
      // The readiness of a node does not depend on its peers.
      for (const probe of ['ready', 'live', 'startup']) {
        const { status } = await fetch(`http://${fieldOf(line, 'http')}/health/${probe}`);
        expect(status, probe).to.equal(200);
      }
      const page = await fetch(`http://${fieldOf(line, 'web')}/api/v1/status`, {
        headers: { authorization: `Basic ${Buffer.from('admin:').toString('base64')}` },
      });
      const { members } = (await page.json()) as { readonly members: readonly Shown[] };
      expect(members.find(({ name }) => name === 'node3')?.status).to.equal('dead');
    }
    expect(all.log()).to.contain('node3 has ended by SIGKILL. Start it again');
    const again = launch(directory, '--only', 'node3');
    others.push(again.child);
    await until(() => again.lines.length === 1 || again.child.exitCode !== null);
    expect(again.child.exitCode, again.log()).to.equal(null);
    for (const line of all.lines.slice(0, 2)) {
      await until(async () => (await statusesIn(line)) === alive);
      expect((await healthOf(line))['node3']?.id).to.equal(before?.id);
    }
    // An orderly stop needs no suspicion.
    again.child.kill('SIGTERM');
    expect(await ended(again)).to.equal(0);
    for (const line of all.lines.slice(0, 2)) {
      await until(async () => (await statusesIn(line)) === 'alive alive left');
    }
  });

  const token = async (): Promise<readonly string[]> => {
    const answer = await askAdmin(nodeDirectory(1), undefined, {
      method: 'POST',
      path: '/admin/v1/join-tokens',
    });
    const { address, token: secret, authorityHash } = answer;
    return ['--join', address, '--join-token', secret, '--join-ca-hash', authorityHash].map(String);
  };

  /** What a node says that does not come to serve. */
  async function refusalOf(path: string, flags: readonly string[]): Promise<string> {
    const roles = ['--roles', 'coordinator', '--node-name', 'fourth'];
    const starting = start(path, [...roles, ...flags]);
    others.push(starting.process);
    try {
      await starting.serving;
    } catch (error) {
      expect(await ended({ child: starting.process })).to.equal(1);
      return (error as Error).message;
    }
    throw new Error('it was accepted');
  }

  it('refuses a node without a token, and both sides log the reason', async () => {
    const path = temporaryDirectory();
    const at = fieldOf(all.lines[0], 'cluster');
    expect(await refusalOf(path, ['--join', at])).to.contain('there is no credential');
    await until(() =>
      /"a connection of a node is refused".*Node fourth: .*no credential/.test(all.log()),
    );
    removeDirectory(path);
  });

  it('refuses a node with a used token, and both sides log the reason', async () => {
    const flags = await token();
    const [first, second] = [temporaryDirectory(), temporaryDirectory()];
    const joining = start(first, ['--roles', 'coordinator', '--node-name', 'third', ...flags]);
    others.push(joining.process);
    const joined = await joining.serving;
    expect(await refusalOf(second, flags)).to.contain('wrong, used or expired');
    await until(() => /"a connection of a node is refused".*wrong, used or/.test(all.log()));
    joined.process.kill('SIGTERM');
    await once(joined.process, 'exit');
    for (const path of [first, second]) removeDirectory(path);
  });

  it('refuses a node with the certificate of another cluster, and both sides log the reason', async () => {
    const path = temporaryDirectory();
    const founding = start(path, ['--node-name', 'fourth', '--roles', 'coordinator']);
    others.push(founding.process);
    const founded = await founding.serving;
    founded.process.kill('SIGTERM');
    await once(founded.process, 'exit');
    const at = fieldOf(all.lines[1], 'cluster');
    const stranger = start(path, ['--node-name', 'fourth', '--roles', 'coordinator', '--join', at]);
    others.push(stranger.process);
    const served = await stranger.serving;
    await until(() => served.log().includes('not signed by an authority of this cluster'));
    await until(() =>
      /"node":"node2"[^\n]*not signed by an authority of this cluster/.test(all.log()),
    );
    served.process.kill('SIGTERM');
    await once(served.process, 'exit');
    removeDirectory(path);
  });

  it('refuses a copy of the data directory of a member that runs, and both sides log the reason', async () => {
    const path = temporaryDirectory();
    for (const name of ['IDENTITY', 'cluster']) {
      spawn('cp', ['-r', join(nodeDirectory(2), name), path]).unref();
    }
    await until(() => {
      try {
        return readFileSync(join(path, 'cluster', 'peers.json'), 'utf8').length > 0;
      } catch {
        return false;
      }
    });
    const flags = ['--node-name', 'node2', '--roles', 'coordinator'];
    const copied = start(path, flags);
    others.push(copied.process);
    let refusal = '';
    await copied.serving.catch((error: Error) => (refusal = error.message));
    expect(refusal).to.contain('has the same node ID');
    await until(() => /"a node is refused".*has the same node ID/.test(all.log()));
    removeDirectory(path);
  });

  it('answers administrators of the cluster alone', async () => {
    const { address } = JSON.parse(
      readFileSync(join(nodeDirectory(1), 'cluster', 'admin.json'), 'utf8'),
    ) as { readonly address: string };
    const { privateKey, certificate } = JSON.parse(
      readFileSync(join(nodeDirectory(2), 'cluster', 'credentials.json'), 'utf8'),
    ) as { readonly privateKey: string; readonly certificate: string };
    const ask = (tls: object): Promise<string> => {
      const { promise, resolve } = Promise.withResolvers<string>();
      const url = `https://${address}/admin/v1/members`;
      const asked = request(
        url,
        { ...tls, rejectUnauthorized: false, agent: false },
        (response) => {
          response.resume();
          resolve(String(response.statusCode));
        },
      );
      asked.on('error', () => resolve('refused'));
      asked.end();
      return promise;
    };
    expect(await ask({})).to.equal('refused');
    expect(await ask({ key: privateKey, cert: certificate })).to.equal('403');
    const members = await askAdmin(nodeDirectory(1), undefined, {
      method: 'GET',
      path: '/admin/v1/members',
    });
    expect((members['members'] as readonly Shown[]).map(({ name }) => name)).to.include.members([
      'node1',
      'node2',
    ]);
    await askAdmin(nodeDirectory(1), undefined, {
      method: 'PUT',
      path: '/admin/v1/drain',
      body: { isDraining: true },
    });
    for (const body of [{ isDraining: 'yes' }, {}, { isDraining: true, more: 1 }]) {
      let refusal = 'none';
      await askAdmin(nodeDirectory(1), undefined, {
        method: 'PUT',
        path: '/admin/v1/drain',
        body,
      }).catch((error: Error) => (refusal = error.message));
      expect(refusal).to.contain('The body is not valid');
    }
  });

  it('stops all nodes in an orderly way', async () => {
    all.child.kill('SIGINT');
    expect(await ended(all)).to.equal(0);
    for (const line of all.lines.slice(0, 2)) {
      expect(() => process.kill(Number(fieldOf(line, 'pid')), 0)).to.throw(/ESRCH/);
    }
  });
});
