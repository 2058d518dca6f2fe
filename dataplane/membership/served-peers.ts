import type { MeshOptions } from './mesh.ts';

/** What is behind the membership answers these. */
export interface ServedPeers extends Pick<MeshOptions, 'notices'> {
  readonly requests: Pick<
    MeshOptions['handlers'],
    | 'readTable'
    | 'editTable'
    | 'changeCatalog'
    | 'watchCatalog'
    | 'raft'
    | 'snapshot'
    | 'changeMetadata'
    | 'readReplicas'
    | 'readNeed'
  >;
}
