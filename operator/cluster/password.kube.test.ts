import { expect } from 'chai';
import type { KubeObject } from '../kube/object.ts';
import { resources } from '../kube/object.ts';
import { eventually } from './testing/api-types.ts';
import { Stage } from './testing/stage.ts';
import type { RunningPod } from './informer-set.ts';

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

interface EventObject extends KubeObject {
  readonly type: string;
  readonly reason: string;
  readonly note: string;
}

/** Well below the time after which every cluster is looked at in any case. */
const soonMs = 12_000;

describe('the password of a cluster, against a real control plane', function () {
  this.timeout(60_000);
  let stage: Stage;

  beforeEach(async () => (stage = await Stage.open('password')));
  afterEach(() => stage.close());

  const secret = (name: string): Promise<Secret | undefined> =>
    stage.find<Secret>(resources.secrets, name);
  const at = (name: string): { namespace: string; name: string } => ({
    namespace: stage.namespace,
    name,
  });
  const write = (name: string, data: object): Promise<KubeObject> => {
    const object = { apiVersion: 'v1', kind: 'Secret', metadata: at(name), type: 'Opaque' };
    return stage.client.apply(resources.secrets, { ...object, ...data });
  };
  const warnings = async (): Promise<readonly EventObject[]> => {
    const scope = { namespace: stage.namespace, fieldSelector: 'type=Warning' };
    return (await stage.client.list<EventObject>(resources.events, scope)).items;
  };
  const noted = async (pod: string): Promise<string | undefined> =>
    ((await stage.kubelet.pod(pod)) as RunningPod).metadata.annotations?.[
      'photondb.io/password-version'
    ];
  const named = { spec: { security: { passwordSecret: 'chosen' } } };

  it('is recreated when its Secret is deleted: announced at once, and without a restart', async () => {
    const pod = await stage.settled('deleted');
    const [before, secretBefore] = [await stage.kubelet.pod(pod), await secret('deleted-admin')];
    await stage.client.remove(resources.secrets, at('deleted-admin'));
    await eventually(
      'a warning about the new password',
      async () =>
        (await warnings()).some(
          ({ reason, note }) => reason === 'PasswordReplaced' && note.includes('deleted-admin'),
        ),
      soonMs,
    );
    const secretAfter = await secret('deleted-admin');
    expect(secretAfter?.data?.['password']).to.not.equal(secretBefore?.data?.['password']);
    await stage.anotherLook('deleted');
    await stage.conditionIs('deleted', 'Ready', 'True');
    const after = await stage.kubelet.pod(pod);
    expect(after?.metadata.uid).to.equal(before?.metadata.uid);
    expect(after?.metadata.deletionTimestamp).to.equal(undefined);
  });

  it('is announced as new only when there was one before', async () => {
    await stage.settled('fresh');
    expect((await warnings()).filter(({ reason }) => reason === 'PasswordReplaced')).to.deep.equal(
      [],
    );
    const { status } = (await stage.clusterOf('fresh')) ?? {};
    expect(status?.passwordSecret).to.equal('fresh-admin');
  });

  it('may be edited by the user: the pod receives it, and is not replaced', async () => {
    const pod = await stage.settled('edited');
    const before = await stage.kubelet.pod(pod);
    await eventually('the pod to know the version', async () => (await noted(pod)) !== undefined);
    const versionBefore = await noted(pod);
    await write('edited-admin', { stringData: { password: 'my own' } });
    await eventually(
      'the pod to know the next version',
      async () => (await noted(pod)) !== versionBefore,
      soonMs,
    );
    await stage.anotherLook('edited');
    expect((await stage.kubelet.pod(pod))?.metadata.uid).to.equal(before?.metadata.uid);
    const kept = await secret('edited-admin');
    expect(Buffer.from(kept?.data?.['password'] ?? '', 'base64').toString()).to.equal('my own');
    await stage.conditionIs('edited', 'Ready', 'True');
  });

  it('may be in a Secret that the user creates later', async () => {
    await stage.apply('late', named);
    await stage.conditionIs('late', 'Stalled', 'True');
    const stalled = await stage.said('late', 'Stalled');
    expect(stalled).to.include({ reason: 'Missing' });
    expect(stalled?.message).to.contain('Secret chosen is not there');
    expect((await stage.clusterOf('late'))?.status).to.not.have.property('passwordSecret');
    await write('chosen', { stringData: { password: 'x' } });
    await eventually(
      'the pod',
      async () => (await stage.kubelet.pod('late-main-0-0')) !== undefined,
      soonMs,
    );
  });

  const malformed: readonly [about: string, data: object, words: string][] = [
    ['no key password', { stringData: { pasword: 'x' } }, 'has no key password'],
    ['an empty password', { stringData: { password: '' } }, 'is empty'],
    ['nothing but the end of a line', { stringData: { password: '\n' } }, 'is empty'],
    ['bytes that are no text', { data: { password: '//79' } }, 'is not UTF-8'],
  ];
  for (const [about, data, words] of malformed) {
    it(`is refused with a sentence when the user's Secret has ${about}`, async () => {
      await write('chosen', data);
      await stage.apply('broken', named);
      await stage.conditionSays('broken', 'Stalled', words);
      const stalled = await stage.said('broken', 'Stalled');
      expect(stalled).to.include({ status: 'True', reason: 'Missing' });
      await eventually('a warning', async () =>
        (await warnings()).some(({ note }) => note.includes(words)),
      );
      expect(await stage.find(resources.statefulSets, 'broken-main-0')).to.equal(undefined);
    });
  }

  it('leaves a running pod alone when the Secret becomes malformed', async () => {
    await write('chosen', { stringData: { password: 'x' } });
    const pod = await stage.settled('spoilt', named);
    const before = await stage.kubelet.pod(pod);
    await stage.client.mergePatch(resources.secrets, at('chosen'), { data: { password: '' } });
    await eventually(
      'the status to say so',
      async () => (await stage.said('spoilt', 'Stalled'))?.message.includes('is empty') === true,
      soonMs,
    );
    await stage.anotherLook('spoilt');
    expect((await stage.kubelet.pod(pod))?.metadata.uid).to.equal(before?.metadata.uid);
    expect(await stage.said('spoilt', 'Available')).to.include({ status: 'True' });
    expect((await stage.clusterOf('spoilt'))?.status?.nodes?.ready).to.equal(1);
  });
});
