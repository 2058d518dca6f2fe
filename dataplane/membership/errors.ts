import { PhotonError } from '../common/errors.ts';

/** The node can neither found, nor join, nor rejoin a cluster with what it was given. */
export class FormationError extends PhotonError {
  readonly code = 'membership.formation';
}

/** A node of the cluster refused this one, or this one refused it. */
export class JoinRefusedError extends PhotonError {
  readonly code = 'membership.join_refused';
}

/** Another process has the same node ID. */
export class DuplicateNodeError extends PhotonError {
  readonly code = 'membership.duplicate_node';
}

/** The roles of the peer do not allow this request. */
export class RoleRefusedError extends PhotonError {
  readonly code = 'membership.role_refused';
}

/** The node starts or stops, or has no data: nothing of the request was carried out. */
export class NotServingError extends PhotonError {
  readonly code = 'membership.not_serving';
}

/** A message of a peer that cannot be read. */
export class MessageRefusedError extends PhotonError {
  readonly code = 'membership.message_refused';
}

/** No connection to the node stands. */
export class PeerUnreachableError extends PhotonError {
  readonly code = 'membership.unreachable';
}

/** A step of a rotation did not reach every member. */
export class RotationError extends PhotonError {
  readonly code = 'membership.rotation';
}

/** An order of an administrator that this node does not carry out. */
export class OrderRefusedError extends PhotonError {
  readonly code = 'membership.order_refused';
}

/** An administrator has removed the node from the cluster for good. */
export class NodeRemovedError extends PhotonError {
  readonly code = 'membership.removed';
}

/** The node is quarantined: it decides nothing for the cluster, and serves no clients. */
export class NodeQuarantinedError extends PhotonError {
  readonly code = 'membership.quarantined';
}
