/** A client of the real API server that the test run has started, and a namespace in it. */
import { randomBytes } from 'node:crypto';
import { KubeClient } from '../client.ts';
import { kubeconfigFile } from '../config.ts';
import type { KubeConfig } from '../config.ts';
import type { Resource } from '../object.ts';

const namespaces: Resource = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

export function controlPlaneConfig(): Promise<KubeConfig> {
  const path = process.env['PHOTONDB_TEST_KUBECONFIG'];
  if (path === undefined || path === '') {
    throw new Error(
      'these tests need a real API server: set PHOTONDB_TEST_KUBECONFIG to the path of its kubeconfig',
    );
  }
  return kubeconfigFile(path);
}

export interface TestNamespace {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly remove: () => Promise<void>;
}

export async function testNamespace(prefix: string): Promise<TestNamespace> {
  const client = new KubeClient(await controlPlaneConfig(), {
    limits: { ratePerSecond: 1000, burst: 1000, inFlightMax: 8 },
  });
  const namespace = `${prefix}-${randomBytes(4).toString('hex')}`;
  await client.create(namespaces, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace },
  });
  const remove = async (): Promise<void> => {
    await client.remove(namespaces, { name: namespace });
    await client.close();
  };
  return { client, namespace, remove };
}
