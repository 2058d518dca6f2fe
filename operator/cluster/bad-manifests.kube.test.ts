import { expect } from 'chai';
import { isKubeError } from '../kube/errors.ts';
import type { KubeObject, Resource } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import { testNamespace } from '../kube/testing/control-plane.ts';
import type { TestNamespace } from '../kube/testing/control-plane.ts';
import { eventually, installTypes, manifestOf } from './testing/api-types.ts';
import type { RefusedManifest, StalledManifest } from './testing/bad-manifests.ts';
import { refusedManifests, stalledManifests } from './testing/bad-manifests.ts';
import type { Row } from './testing/manifest-table.ts';
import { compareTable, differences } from './testing/manifest-table.ts';
import { Stage } from './testing/stage.ts';

/**
 * What a user sees of a manifest that cannot work, from the real API server with the operator running. The
 * answers are the table in docs/internals/operator.md; `PHOTONDB_TEST_UPDATE=1` rewrites it.
 */
const rows: Row[] = [];

const kinds: Readonly<Record<string, Resource>> = {
  secret: resources.secrets,
  service: resources.services,
  quota: { ...resources.services, plural: 'resourcequotas', kind: 'ResourceQuota' },
};

function titleOf({ name, change, before }: RefusedManifest): string {
  if (name !== undefined) return `metadata.name: ${JSON.stringify(name)}`;
  const [is, was] = [differences(change), before && differences(before)];
  const words = is.join(', ');
  if (was === undefined) return words;
  return was.length === 0 ? `${words} in an existing cluster` : `${words} after ${was.join(', ')}`;
}

function titleOfStalled({ change, given }: StalledManifest): string {
  const said = differences(change).join(', ');
  if (given === undefined) return said;
  return said === '' ? `nothing wrong, but there is ${given}` : `${said}; there is ${given}`;
}

/** Without what repeats the question, and without what differs from run to run. */
function answer(message: string, namespace: string): string {
  return (
    message
      .replace(/^PhotonCluster\.photondb\.io "[^"]*" is invalid: /, '')
      .replace(/^\[(.*), <nil>: Invalid value: null: some validation rules [^\]]*\]$/, '$1')
      // The control plane of the test has no machines.
      .replace(/; orders-main-0-0: no machine takes the pod: .*$/, '')
      .replaceAll(namespace, 'NAMESPACE')
  );
}

describe('a manifest that cannot work', function () {
  this.timeout(60_000);

  describe('is refused by the API server', () => {
    let at: TestNamespace;

    before(async () => {
      at = await testNamespace('refused');
      await installTypes(at.client, at.namespace);
    });
    after(() => at.remove());

    for (const [index, given] of refusedManifests.entries()) {
      it(titleOf(given), async () => {
        const name = given.name ?? `bad-${index}`;
        const create = (change: object): Promise<KubeObject> =>
          at.client.create(resources.photonClusters, manifestOf(name, at.namespace, change));
        if (given.before !== undefined) await create(given.before);
        try {
          if (given.before === undefined) await create(given.change);
          else {
            const changed = manifestOf(name, at.namespace, given.change);
            await at.client.mergePatch(resources.photonClusters, changed.metadata, changed);
          }
        } catch (error) {
          if (!isKubeError(error)) throw error;
          expect(error.message).to.contain(given.words);
          rows.push({
            manifest: titleOf(given),
            sees: `refused: ${answer(error.message, at.namespace)}`,
          });
          return;
        }
        expect.fail('it was accepted');
      });
    }
  });

  describe('is stalled by the operator, which says why in the conditions and in an event', () => {
    let stage: Stage;

    beforeEach(async () => (stage = await Stage.open('stalled')));
    afterEach(() => stage.close());

    const events = async (): Promise<readonly string[]> => {
      const scope = { namespace: stage.namespace, fieldSelector: 'regarding.kind=PhotonCluster' };
      const { items } = await stage.client.list<KubeObject & { type: string; note: string }>(
        resources.events,
        scope,
      );
      return items.flatMap(({ type, note }) => (type === 'Warning' ? [note] : []));
    };

    const expectStalled = async ({ reason, words }: StalledManifest): Promise<string> => {
      await stage.conditionSays('orders', 'Stalled', words);
      const ready = await stage.said('orders', 'Ready');
      const stalled = await stage.said('orders', 'Stalled');
      expect(stalled).to.include({ status: 'True', reason });
      expect(ready).to.include({ status: 'False', reason });
      expect(await stage.said('orders', 'Reconciling')).to.include({ status: 'False' });
      await eventually('a warning', async () =>
        (await events()).some((note) => note.includes(words)),
      );
      return `Stalled, ${reason}: ${answer(stalled?.message ?? '', stage.namespace)}`;
    };

    for (const given of stalledManifests) {
      it(titleOfStalled(given), async () => {
        for (const [kind, object] of given.objects?.(stage.namespace) ?? []) {
          const resource = kinds[kind];
          if (resource === undefined) throw new Error(`unknown kind ${kind}`);
          await stage.client.create(resource, object);
        }
        await stage.apply('orders', given.change);
        rows.push({ manifest: titleOfStalled(given), sees: await expectStalled(given) });
      });
    }

    it('another version than the nodes run', async () => {
      const change = { spec: { version: '9.9.9', image: { tag: '0.1.0' } } };
      const given = { change, reason: 'VersionMismatch', words: 'spec.version is 9.9.9' };
      await stage.apply('orders', change);
      await stage.podIs('orders-main-0-0');
      await stage.kubelet.bringUp('orders-main-0-0');
      rows.push({ manifest: titleOfStalled(given), sees: await expectStalled(given) });
      expect((await stage.clusterOf('orders'))?.status?.version).to.equal('0.1.0');
      expect(await stage.said('orders', 'Available')).to.include({ status: 'True' });
    });
  });

  // A suite of its own: it comes after those that fill the table.
  describe('and what the user sees', () => {
    it('stands in the table of the documentation', () => {
      const { is, wanted } = compareTable('bad manifests', rows);
      expect(rows.length).to.equal(refusedManifests.length + stalledManifests.length + 1);
      expect(is, 'run this test with PHOTONDB_TEST_UPDATE=1').to.equal(wanted);
    });
  });
});
