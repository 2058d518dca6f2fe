/**
 * The Secret with the password of the user admin. It is created once and never changed, and nothing
 * owns it: volumes that outlive the cluster are of no use without the password. Pure.
 */
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import { clusterLabels } from './labels.ts';
import type { Manifest } from './manifest.ts';
import { ownerReference } from './manifest.ts';
import { adminSecretName } from './names.ts';

/** The name of the Secret that counts, made by the operator or named by the user. */
export function passwordSecretName({ metadata, spec }: PhotonCluster): string {
  return spec.security?.passwordSecret ?? adminSecretName(metadata.name);
}

export function adminSecret(
  cluster: PhotonCluster,
  password: string,
): Manifest & { readonly type: string; readonly stringData: Readonly<Record<string, string>> } {
  const { name, namespace } = cluster.metadata;
  // Where the volumes go with the cluster, nothing is left that the password would open.
  const isKept = cluster.spec.volumes.whenDeleted === 'Retain';
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: adminSecretName(name),
      ...(namespace === undefined ? {} : { namespace }),
      labels: clusterLabels(name),
      ...(isKept ? {} : { ownerReferences: [ownerReference(cluster)] }),
    },
    type: 'Opaque',
    stringData: { user: 'admin', password },
  };
}

/** Undefined when the bytes are no text: nodes would read another password than was written. */
function textOf(base64: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}

/** Why a value of the key password, in base64, is no password; undefined when it is one. */
export function passwordFault(value: string | undefined): string | undefined {
  if (value === undefined) return 'has no key password';
  const text = textOf(value);
  if (text === undefined) return 'has a password that is not UTF-8';
  // Nodes leave out the end of the last line, which editors and echo write.
  return text.replace(/\r?\n$/, '') === '' ? 'has a password that is empty' : undefined;
}
