import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { inClusterConfig, kubeconfigFile, loadKubeConfig } from './config.ts';
import type { KubeConfig } from './config.ts';
import { isKubeError } from './errors.ts';

async function messageOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (isKubeError(error, 'kube.config')) return error.message;
    throw error;
  }
  return 'no error';
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('configuration of the client', () => {
  let directory = '';

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kube-config-'));
  });

  afterEach(() => rm(directory, { recursive: true }));

  async function kubeconfig(user: object, cluster: object, more: object = {}): Promise<KubeConfig> {
    const path = join(directory, 'kubeconfig');
    const file = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'one',
      contexts: [
        { name: 'one', context: { cluster: 'c', user: 'u' } },
        { name: 'two', context: { cluster: 'other', user: 'u', namespace: 'ns' } },
      ],
      clusters: [
        { name: 'c', cluster },
        { name: 'other', cluster: { server: 'https://other:6443' } },
      ],
      users: [{ name: 'u', user }],
      ...more,
    };
    await writeFile(path, JSON.stringify(file));
    return kubeconfigFile(path);
  }

  const server = { server: 'https://host:6443/' };

  describe('in a pod', () => {
    const environment = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };

    async function mount(token: string, ca: string): Promise<void> {
      await writeFile(join(directory, 'token'), token);
      await writeFile(join(directory, 'ca.crt'), ca);
      await writeFile(join(directory, 'namespace'), 'photondb\n');
    }

    it('comes from the environment and the mounted files, which are read again each time', async () => {
      await mount('first\n', 'CA 1');
      const config = await inClusterConfig(environment, directory);
      expect(config).to.include({ server: 'https://10.0.0.1:443', namespace: 'photondb' });
      expect(await config.credentials()).to.deep.equal({ token: 'first', ca: 'CA 1' });
      await mount('second', 'CA 2');
      expect(await config.credentials()).to.deep.equal({ token: 'second', ca: 'CA 2' });
    });

    it('puts an IPv6 address into brackets', async () => {
      await mount('t', 'CA');
      const config = await inClusterConfig({ KUBERNETES_SERVICE_HOST: 'fd00::1' }, directory);
      expect(config.server).to.equal('https://[fd00::1]:443');
    });

    it('says what is missing', async () => {
      expect(await messageOf(loadKubeConfig({ environment: {} }))).to.contain('not in a pod');
      expect(await messageOf(inClusterConfig(environment, directory))).to.contain('namespace');
      await mount('', 'CA');
      const config = await inClusterConfig(environment, directory);
      expect(await messageOf(config.credentials())).to.contain('is empty');
    });
  });

  describe('from a kubeconfig', () => {
    it('takes a token and an embedded authority', async () => {
      const config = await kubeconfig(
        { token: 'secret' },
        { ...server, 'certificate-authority-data': base64('CA') },
      );
      expect(config).to.include({ server: 'https://host:6443', namespace: 'default' });
      expect(await config.credentials()).to.deep.equal({ token: 'secret', ca: 'CA' });
    });

    it('takes client certificates, embedded or from files beside the kubeconfig', async () => {
      await writeFile(join(directory, 'client.crt'), 'CERT');
      await writeFile(join(directory, 'ca.crt'), 'CA');
      const config = await kubeconfig(
        { 'client-certificate': 'client.crt', 'client-key-data': base64('KEY') },
        { ...server, 'certificate-authority': join(directory, 'ca.crt'), 'tls-server-name': 'api' },
      );
      expect(await config.credentials()).to.deep.equal({
        ca: 'CA',
        certificate: 'CERT',
        key: 'KEY',
      });
      expect(config).to.include({ serverName: 'api', insecure: false });
    });

    it('reads a token file again each time', async () => {
      await writeFile(join(directory, 'token'), 'first');
      const config = await kubeconfig({ tokenFile: 'token' }, server);
      expect((await config.credentials()).token).to.equal('first');
      await writeFile(join(directory, 'token'), 'second');
      expect((await config.credentials()).token).to.equal('second');
    });

    it('takes another context by its name', async () => {
      await kubeconfig({ token: 't' }, server);
      const path = join(directory, 'kubeconfig');
      const config = await loadKubeConfig({ kubeconfig: path, context: 'two', environment: {} });
      expect(config).to.include({ server: 'https://other:6443', namespace: 'ns' });
      expect(await messageOf(kubeconfigFile(path, 'three'))).to.contain('no context named "three"');
    });

    it('refuses what it does not support, and what is broken, in a sentence', async () => {
      const refused: readonly [object, object, object, string][] = [
        [{ exec: { command: 'aws' } }, server, {}, 'plug-in'],
        [{ 'auth-provider': {} }, server, {}, 'plug-in'],
        [{ username: 'u', password: 'p' }, server, {}, 'user name and password'],
        [{}, { ...server, 'proxy-url': 'http://proxy' }, {}, 'proxy-url'],
        [{}, { server: 'nonsense' }, {}, 'no valid server URL'],
        [{}, server, { users: [] }, 'no user named "u"'],
        [{}, server, { clusters: 'text' }, 'no cluster named "c"'],
        [{}, server, { 'current-context': '' }, 'no current-context'],
      ];
      for (const [user, cluster, more, sentence] of refused) {
        expect(await messageOf(kubeconfig(user, cluster, more))).to.contain(sentence);
      }
      const path = join(directory, 'bad');
      expect(await messageOf(kubeconfigFile(path))).to.contain('ENOENT');
      await writeFile(path, 'a: [');
      expect(await messageOf(kubeconfigFile(path))).to.contain('not YAML');
      await writeFile(path, 'text');
      expect(await messageOf(kubeconfigFile(path))).to.contain('not a mapping');
      await writeFile(path, Buffer.alloc(5 * 1024 * 1024));
      expect(await messageOf(kubeconfigFile(path))).to.contain('bytes');
    });
  });
});
