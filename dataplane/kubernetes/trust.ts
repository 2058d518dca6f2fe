import { readFile } from 'node:fs/promises';
import type { PhotonNode } from './own-node.ts';
import { certificatesIn } from './signing-client.ts';

/**
 * Whom the node may trust: the certificates come by a ConfigMap, and the PhotonNode names them by their hash.
 * Both have to agree, so that permission to write only one of them does not suffice to add an authority.
 */
export interface TrustSources {
  readonly directory: string;
  readonly read: () => Promise<PhotonNode>;
  /** `sha256:` and the hash of the public key. Throws for what is no certificate. */
  readonly hashOf: (certificate: string) => string;
}

async function bundleAt(directory: string): Promise<readonly string[]> {
  try {
    return certificatesIn(await readFile(`${directory}/cluster-ca.crt`, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** What the ConfigMap alone brings, without what cannot be read. */
export async function offeredAuthorities({
  directory,
  hashOf,
}: Pick<TrustSources, 'directory' | 'hashOf'>): Promise<readonly string[]> {
  const bundle = await bundleAt(directory);
  return bundle.filter((certificate) => {
    try {
      return hashOf(certificate) !== '';
    } catch {
      return false;
    }
  });
}

/** In the order of the bundle: the authority that signs is the first. Empty before there is one. */
export async function trustedAuthorities(sources: TrustSources): Promise<readonly string[]> {
  const [offered, node] = await Promise.all([offeredAuthorities(sources), sources.read()]);
  const pinned = new Set(node.spec?.authorities ?? []);
  return offered.filter((certificate) => pinned.has(sources.hashOf(certificate)));
}
