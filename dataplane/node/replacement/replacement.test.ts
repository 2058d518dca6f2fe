import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadConfig } from '../../config/config.ts';
import { readFile, writeFile } from '../../membership/cluster-files.ts';
import type { ClusterFiles } from '../../membership/cluster-files.ts';
import { succeedSelf } from '../../membership/succeed-self.ts';
import { LogHistory } from '../../observability/log-history.ts';
import { createLogger } from '../../observability/logger.ts';
import { openExistingDirectory } from '../../storage/directory.ts';
import { machineChance } from '../chance.ts';
import { machineClock } from '../clock.ts';
import type { NodeContext } from '../context.ts';
import { DirectoryService } from '../directory-service.ts';
import { Progress } from '../progress.ts';
import { carryOut } from './carry-out.ts';

const successor = 'bbbbbbbb-0000-4000-8000-000000000000';
const at = Date.UTC(2030, 0, 1);

describe('a node that begins again', () => {
  let path: string;

  const contextOf = (): NodeContext => {
    const flags = ['--data-dir', path, '--node-name', 'a'];
    const known: Partial<NodeContext> = {
      config: loadConfig({ flags, environment: {}, readFile: () => '' }),
      logger: new LogHistory(createLogger('silent', {}, false), () => 0),
      clock: machineClock,
      chance: machineChance,
      progress: new Progress(machineClock),
      signal: new AbortController().signal,
    };
    return known as NodeContext;
  };

  async function opened(): Promise<DirectoryService> {
    const service = new DirectoryService(contextOf());
    await service.start();
    return service;
  }

  /** As it is in the moment in which the node gave its identity up. */
  async function givenUp(): Promise<{ readonly former: string }> {
    const service = await opened();
    const { credentials, authority } = service.formed;
    for (const name of ['wal', 'store']) {
      mkdirSync(join(path, name));
      writeFileSync(join(path, name, 'file'), name);
    }
    writeFile(service.files, 'replication', { isFounder: true });
    writeFile(service.files, 'quarantine', { detail: 'damage', since: 1, isReleased: false });
    const admissions = {
      succeed: (id: string, wish: { readonly successor: string; readonly request: string }) =>
        authority?.succeed(id, wish, ['data']) ?? expect.fail('it holds the authority'),
    };
    const next = await succeedSelf({ credentials, admissions, clock: machineClock }, successor);
    const { nodeId } = credentials;
    writeFile(service.files, 'replacement', { nodeId, reason: 'damage', at, successor, next });
    service.stop();
    return { former: nodeId };
  }

  function expectNew(service: DirectoryService): void {
    const { files, formed } = service;
    expect(service.id).to.equal(successor);
    expect(formed.credentials.nodeId).to.equal(successor);
    expect(readFile(files, 'replication')).to.include({ isFounder: false });
    expect(readFile(files, 'replacement')).to.equal(undefined);
    expect(readFile(files, 'quarantine')).to.equal(undefined);
    expect(['wal', 'store'].filter((name) => existsSync(join(path, name)))).to.deep.equal([]);
    const [kept = ''] = readdirSync(path).filter((name) => name.startsWith('lost-'));
    expect(readdirSync(join(path, kept)).toSorted()).to.deep.equal(['store', 'wal']);
  }

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'photondb-again-'));
  });

  afterEach(() => rmSync(path, { recursive: true, force: true }));

  it('never serves under the identity that it gave up: the next start carries that out', async () => {
    await givenUp();
    const service = await opened();
    expectNew(service);
    // It still holds the authority of the cluster.
    expect(service.formed.authority).not.to.equal(undefined);
    service.stop();
    const again = await opened();
    expectNew(again);
    again.stop();
  });

  it('comes to the same wherever the process ends meanwhile', async () => {
    let steps = 0;
    for (let crashAt = 1; steps >= crashAt - 1; crashAt += 1) {
      rmSync(path, { recursive: true, force: true });
      const { former } = await givenUp();
      const service = new DirectoryService(contextOf());
      const given = readFile(service.files, 'replacement') ?? expect.fail('it gave up');
      steps = 0;
      const step = (): void => {
        steps += 1;
        if (steps === crashAt) throw new Error('the power fails');
      };
      const files: ClusterFiles = {
        read: (name) => service.files.read(name),
        write: (name, text) => (step(), service.files.write(name, text)),
        remove: (name) => (step(), service.files.remove(name)),
      };
      const host = {
        files,
        dataDirectory: path,
        discardIdentity: () => undefined,
        become: step,
      };
      try {
        carryOut(host, given, contextOf());
      } catch (error) {
        expect((error as Error).message).to.equal('the power fails');
      }
      if (steps < crashAt) break;
      const directory = openExistingDirectory(path);
      expect(directory.identity.id).to.equal(former);
      directory[Symbol.dispose]();
      const again = await opened();
      expectNew(again);
      again.stop();
    }
    expect(steps).to.be.above(4);
  });

  it('leaves an empty directory in a pod, whose operator gives it another place', async () => {
    const { former } = await givenUp();
    const service = new DirectoryService(contextOf());
    writeFile(service.files, 'replacement', { nodeId: former, reason: 'damage', at });
    let failure: unknown;
    await service.start().catch((error: unknown) => (failure = error));
    expect(String(failure)).to.contain('the next start begins again as a new member');
    service.stop();
    const names = readdirSync(path).filter((name) => !name.startsWith('LOCK'));
    expect(names).to.deep.equal(['lost-2030-01-01T00-00-00.000Z']);
    const kept = readdirSync(join(path, names[0] ?? '')).toSorted();
    expect(kept).to.deep.equal(['IDENTITY', 'cluster', 'store', 'wal']);
  });

  it('keeps its identity as long as it only asked for another one', async () => {
    const { former } = await givenUp();
    const { files } = new DirectoryService(contextOf());
    writeFile(files, 'replacement', { nodeId: former, reason: 'damage', at, successor });
    const service = await opened();
    expect(service.id).to.equal(former);
    expect(existsSync(join(path, 'wal'))).to.equal(true);
    service.stop();
  });
});
