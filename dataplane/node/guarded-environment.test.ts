import { expect } from 'chai';
import type { NodeEnvironment } from '../query/environment.ts';
import { guardedEnvironment, quarantineRefusal } from './guarded-environment.ts';

describe('the environment of queries on a node that may be quarantined', () => {
  const calls: string[] = [];
  let why: string | undefined;
  const call = (name: string) => () => void calls.push(name);
  const names = ['databases', 'table', 'createTable', 'dropDatabase', 'renameIndex'];
  const inner = {
    catalog: Object.fromEntries(names.map((name) => [name, call(name)])),
    table: call('rows'),
  } as unknown as NodeEnvironment;
  const { catalog, table } = guardedEnvironment(inner, () => why) as unknown as {
    readonly catalog: Readonly<Record<string, () => unknown>>;
    readonly table: () => unknown;
  };

  const outcomes = async (): Promise<string[]> => {
    calls.length = 0;
    const attempts = names.map((name) => catalog[name] as () => unknown);
    const refusals: string[] = [];
    for (const attempt of [...attempts, table]) {
      try {
        await attempt();
      } catch (error) {
        refusals.push((error as Error).message);
      }
    }
    return [...calls, ...refusals];
  };

  it('serves everything while it is not', async () => {
    why = undefined;
    expect(await outcomes()).to.deep.equal([...names, 'rows']);
  });

  it('serves names alone while it is, and says why', async () => {
    why = quarantineRefusal('n1', 'repeats messages');
    const refused =
      'Node `n1` is quarantined and serves no clients: it repeats messages. Connect to another node. An administrator ends the quarantine with `npm run admin -- release n1`, in Kubernetes with `kubectl annotate photonnode n1 photondb.io/order=release`.';
    expect(await outcomes()).to.deep.equal(['databases', 'table', ...Array(4).fill(refused)]);
  });
});
