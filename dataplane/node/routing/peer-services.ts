import { NotServingError } from '../../membership/errors.ts';
import type { Handler } from '../../membership/mesh.ts';
import type { ServedPeers } from '../../membership/served-peers.ts';

type Requests = ServedPeers['requests'];
type Notices = ServedPeers['notices'];

/** What other nodes may ask of the data of this one, as soon as there is somebody who answers. */
export class PeerServices implements ServedPeers {
  #requests: Partial<Requests> = {};
  #notices: Partial<Notices> = {};

  readonly requests: Requests = {
    readTable: this.#handler('readTable'),
    editTable: this.#handler('editTable'),
    changeCatalog: this.#handler('changeCatalog'),
    watchCatalog: this.#handler('watchCatalog'),
    raft: this.#handler('raft'),
    snapshot: this.#handler('snapshot'),
    changeMetadata: this.#handler('changeMetadata'),
    readReplicas: this.#handler('readReplicas'),
    readNeed: this.#handler('readNeed'),
  };

  /** They may be lost: so are those that nobody takes yet. */
  readonly notices: Notices = {
    raft: (payload, peer) => this.#notices.raft?.(payload, peer),
  };

  serve(requests: Partial<Requests>, notices: Partial<Notices> = {}): void {
    this.#requests = { ...this.#requests, ...requests };
    this.#notices = { ...this.#notices, ...notices };
  }

  /** The data is about to be closed. */
  stop(): void {
    this.#requests = {};
    this.#notices = {};
  }

  #handler(name: keyof Requests): Handler {
    return async (payload, peer, signal) => {
      const handler = this.#requests[name];
      if (handler !== undefined) return handler(payload, peer, signal);
      throw new NotServingError('The node does not serve its data now. Repeat the request.');
    };
  }
}
