/**
 * Whether the controller of a StatefulSet has observed a template: a pod that is deleted earlier is recreated
 * from the former one. The status does not show it: when a StatefulSet is made again while its controller writes
 * the status of the former one, that status lands on the new object and stays. The controller's own
 * revisions can: it makes or takes over one for this very object, by UID, before it makes pods. Pure.
 */
import type { Metadata } from '../api/object.ts';

/** A ControllerRevision, as far as it is read here. */
export interface TemplateRevision {
  readonly metadata: Metadata;
  readonly revision?: number;
  readonly data?: {
    readonly spec?: {
      readonly template?: {
        readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
      };
    };
  };
}

/** The annotations of the newest template that the controller knows of the object with this UID. */
export function knownAnnotations(
  revisions: readonly TemplateRevision[],
  uid: string,
): Readonly<Record<string, string>> | undefined {
  const [newest] = revisions
    .filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid))
    .sort((a, b) => (b.revision ?? 0) - (a.revision ?? 0));
  return newest?.data?.spec?.template?.metadata?.annotations;
}
