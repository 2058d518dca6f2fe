/** Objects of Kubernetes as far as the status is computed from them. */
import type { Metadata } from '../api/object.ts';

export interface Terminated {
  readonly reason?: string;
  readonly message?: string;
  readonly exitCode?: number;
  readonly finishedAt?: string;
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: Terminated;
}

export interface ContainerStatus {
  readonly name: string;
  readonly restartCount?: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly resources?: { readonly limits?: Readonly<Record<string, string | number>> };
}

export interface Pod {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec?: {
    readonly nodeName?: string;
    readonly containers?: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    /** Of a pod that has failed as a whole: `Evicted`. */
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
      readonly lastTransitionTime?: string;
    }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

/** An event of another controller about an object of the cluster. */
export interface SeenEvent {
  readonly kind: string;
  readonly name: string;
  readonly reason: string;
  readonly note: string;
  /** About the object that is there now, not about a former one of its name. */
  readonly isCurrent: boolean;
  /** Since it happened last. */
  readonly ageMs: number;
}

/** The volume claim of a node. */
interface SeenClaim {
  readonly name: string;
  /** Pending, Bound or Lost. */
  readonly phase?: string;
}

/** What is known of a node in addition to its pod and its report. */
export interface Evidence {
  readonly events: readonly SeenEvent[];
  readonly claim?: SeenClaim;
}

/** Time since a timestamp of Kubernetes in RFC 3339; passed as an argument, since this is pure. */
export type ElapsedMs = (since: string) => number;
