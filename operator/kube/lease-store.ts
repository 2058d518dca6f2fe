/**
 * A lease object for leader election. Writes hold only at the version that was read, and go ahead
 * of the client's own rate limit: a leader must not lose its lease to its own work.
 */
import type { KubeClient } from './client.ts';
import type { KubeObject, ObjectName } from './object.ts';
import { apiVersionOf, resources } from './object.ts';

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

interface LeaseObject extends KubeObject {
  readonly spec?: LeaseSpec;
}

interface Lease {
  readonly resourceVersion: string;
  readonly spec: LeaseSpec;
}

function leaseOf(object: LeaseObject): Lease {
  return { resourceVersion: object.metadata.resourceVersion ?? '', spec: object.spec ?? {} };
}

export class KubeLeaseStore {
  readonly #client: KubeClient;
  readonly #name: ObjectName;

  constructor(client: KubeClient, name: ObjectName) {
    this.#client = client;
    this.#name = name;
  }

  async read(signal: AbortSignal): Promise<Lease | undefined> {
    const options = { signal, urgent: true };
    const found = await this.#client.find<LeaseObject>(resources.leases, this.#name, options);
    return found === undefined ? undefined : leaseOf(found);
  }

  async create(spec: LeaseSpec, signal: AbortSignal): Promise<Lease> {
    const { kind } = resources.leases;
    const lease = { apiVersion: apiVersionOf(resources.leases), kind, metadata: this.#name, spec };
    const options = { signal, urgent: true };
    return leaseOf(await this.#client.create<LeaseObject>(resources.leases, lease, options));
  }

  async update(resourceVersion: string, spec: LeaseSpec, signal: AbortSignal): Promise<Lease> {
    const patch = { metadata: { resourceVersion }, spec };
    const options = { signal, urgent: true };
    return leaseOf(
      await this.#client.mergePatch<LeaseObject>(resources.leases, this.#name, patch, options),
    );
  }
}
