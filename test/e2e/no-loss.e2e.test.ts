import { expect } from 'chai';
import r from 'rethinkdb';
import type { Connection } from 'rethinkdb';
import { loadImage } from '../../k8s/local/cluster/cluster.ts';
import { kubectlOf, podField, until } from './cluster-under-test.ts';
import { connectWhenServing, startPhoton } from './photon-under-test.ts';
import type { Photon } from './photon-under-test.ts';

const longMs = 90_000;

/** What must not cost the data, nor the pod that serves, on a real kubelet. The tests follow each other. */
describe('a PhotonCluster that is about to lose something', () => {
  let photon: Photon;
  let connection: Connection;

  const kubectl = (args: readonly string[], input?: string): Promise<string> =>
    kubectlOf(photon.cluster)([...args, '--namespace', photon.namespace], input);
  const podFieldOf = (jsonpath: string): Promise<string> =>
    podField(photon.cluster, photon.pod, jsonpath, photon.namespace);
  const uid = (): Promise<string> => podFieldOf('{.metadata.uid}');

  async function message(type: string): Promise<string> {
    const path = `{.status.conditions[?(@.type=="${type}")]['status','message']}`;
    return kubectl(['get', 'photoncluster', photon.name, `--output=jsonpath=${path}`]);
  }

  const says = (type: string, words: string): Promise<void> =>
    until(`${type} to say "${words}"`, async () => (await message(type)).includes(words), longMs);

  const patch = (spec: object): Promise<string> =>
    kubectl([
      'patch',
      'photoncluster',
      photon.name,
      '--type=merge',
      '--patch',
      JSON.stringify({ spec }),
    ]);

  async function request(cpu: string): Promise<void> {
    const pool = await kubectl([
      'get',
      'photoncluster',
      photon.name,
      '--output=jsonpath={.spec.pools[0]}',
    ]);
    const changed = JSON.parse(pool) as { resources?: { requests?: object } };
    const requests = { ...changed.resources?.requests, cpu };
    await patch({ pools: [{ ...changed, resources: { ...changed.resources, requests } }] });
  }

  async function reconnect(): Promise<void> {
    await connection?.close({ noreplyWait: false }).catch(() => undefined);
    connection = await connectWhenServing(photon);
  }

  before(async function start() {
    this.timeout(300_000);
    photon = await startPhoton(`e2e-no-loss-${process.pid}`);
    connection = await connectWhenServing(photon);
    await r.db('test').tableCreate('notes').run(connection);
    await r.db('test').table('notes').insert({ id: 'one' }).run(connection);
  });

  after(async function stop() {
    this.timeout(60_000);
    await connection?.close({ noreplyWait: false }).catch(() => undefined);
    await photon?.stop();
  });

  it('keeps its pod when the new image is not there', async function missing() {
    this.timeout(180_000);
    const before = await uid();
    const { tag } = photon.installation.image;
    await patch({ image: { tag: 'nowhere' } });
    await says('Stalled', 'cannot be pulled');
    expect(await message('Available')).to.contain('True');
    expect(await uid()).to.equal(before);
    expect(await r.db('test').table('notes').count().run(connection)).to.equal(1);
    await patch({ image: { tag } });
    await photon.waitUntilReady();
    expect(await uid()).to.equal(before);
  });

  it('takes a new image after it was seen to start', async function trial() {
    this.timeout(180_000);
    const before = await uid();
    const { repository, tag } = photon.installation.image;
    // The same image under another name is another image to the operator.
    const mirror = `${repository}-copy`;
    const none = (): Promise<string> => Promise.reject(new Error('the image is there'));
    await loadImage(photon.cluster, `${repository}:${tag}`, none, `${mirror}:${tag}`);
    await patch({ image: { repository: mirror } });
    await until('another pod', async () => ![before, ''].includes(await uid()), longMs);
    const events = await kubectl([
      'get',
      'events',
      '--output=jsonpath={.items[*].note}{.items[*].message}',
    ]);
    expect(events).to.contain(`trying image ${mirror}:${tag}`);
    await photon.waitUntilReady();
    await reconnect();
    expect(await r.db('test').table('notes').count().run(connection)).to.equal(1);
    const pods = await kubectl(['get', 'pods', '--output=name']);
    expect(pods.trim()).to.equal(`pod/${photon.pod}`);
  });

  it('keeps its pod when an image is of another version than the manifest says', async function otherVersion() {
    this.timeout(180_000);
    const before = await uid();
    const { repository, tag } = photon.installation.image;
    const version = await kubectl([
      'get',
      'photoncluster',
      photon.name,
      '--output=jsonpath={.spec.version}',
    ]);
    await patch({ version: '9.9.9', image: { repository } });
    await says('Stalled', `${repository}:${tag} is PhotonDB ${version} and spec.version is 9.9.9`);
    expect(await uid()).to.equal(before);
    await patch({ version, image: { repository: `${repository}-copy` } });
    await photon.waitUntilReady();
    expect(await uid()).to.equal(before);
  });

  it('keeps its pod when its volume claim is being deleted, and says what to do', async function claim() {
    this.timeout(180_000);
    const before = await uid();
    await kubectl(['delete', 'persistentvolumeclaim', `data-${photon.pod}`, '--wait=false']);
    await says('Stalled', 'its data is lost as soon as the pod stops');
    await request('77m');
    await says('Ready', `pod ${photon.pod} is not replaced`);
    expect(await uid()).to.equal(before);
    expect(await r.db('test').table('notes').count().run(connection)).to.equal(1);
  });

  it('does not serve an empty database in the place of the one that was lost', async function lost() {
    this.timeout(240_000);
    const before = await uid();
    await kubectl(['delete', 'pod', photon.pod]);
    await says('Stalled', 'its data directory is empty');
    expect(await uid()).to.not.equal(before);
    expect(await message('Ready')).to.contain('False');
    expect(await message('Available')).to.contain('False');
    expect(await podFieldOf('{.status.containerStatuses[0].ready}')).to.equal('false');
    const refusal = await photon.connect().catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(Error);

    const said = await message('Stalled');
    const [, id = ''] = /photondb\.io\/accept-data-loss=(\S+)/.exec(said) ?? [];
    await kubectl([
      'annotate',
      'photoncluster',
      photon.name,
      `photondb.io/accept-data-loss=${id}`,
      '--overwrite',
    ]);
    await photon.waitUntilReady();
    await reconnect();
    expect(await r.db('test').tableList().run(connection)).to.deep.equal([]);
    // The next loss is another one.
    const members = await kubectl([
      'get',
      'photoncluster',
      photon.name,
      '--output=jsonpath={.status.members[0].id}',
    ]);
    expect(members)
      .to.match(/^[0-9a-f-]{36}$/)
      .and.to.not.equal(id);
  });
});
