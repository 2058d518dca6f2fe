/**
 * The conditions of a PhotonCluster and the reasons that they carry: a contract with everybody who
 * waits for them (kubectl wait, Flux, Argo CD, alerts). Reasons are added, never renamed.
 */

/** Ready: this generation is fulfilled. Available: it serves. The last three are true when abnormal. */
const conditionTypes = Object.freeze([
  'Ready',
  'Available',
  'Reconciling',
  'Stalled',
  'Degraded',
] as const);

export type ConditionType = (typeof conditionTypes)[number];

export const reasons = Object.freeze({
  /** The generation has been seen, and nothing has been done for it yet. */
  newGeneration: 'NewGeneration',
  /** Work is under way, or something has to happen first; the message says what. */
  progressing: 'Progressing',
  /** All is as the manifest says. */
  fulfilled: 'Fulfilled',
  /** The manifest asks for what cannot be done. */
  invalidSpec: 'InvalidSpec',
  /** An object of the wanted name exists and belongs to somebody else. */
  foreignObject: 'ForeignObject',
  /** The API server refused an object. */
  refused: 'Refused',
  /** A pod does not come back; the rollout has stopped at it. */
  rolloutStopped: 'RolloutStopped',
  /** Something that somebody else must provide is missing. */
  missing: 'Missing',
  /** A volume claim of the expected name exists, and no pod can run on it. */
  claimRefused: 'ClaimRefused',
  /** The data of a node would not outlive its pod. */
  volumeAtRisk: 'VolumeAtRisk',
  serving: 'Serving',
  noNodeReady: 'NoNodeReady',
  nodesReady: 'NodesReady',
  /** Not heard of for three refreshes. */
  nodesUnknown: 'NodesUnknown',
  /** Not serving, or not as it should. */
  nodesUnhealthy: 'NodesUnhealthy',
} as const);

export type Reason = (typeof reasons)[keyof typeof reasons];
