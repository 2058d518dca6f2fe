/**
 * The conditions of a PhotonCluster and the reasons that they carry: a contract with everybody who
 * waits for them (kubectl wait, Flux, Argo CD, alerts). Reasons are added, never renamed.
 */

/** Ready: this generation is fulfilled. Available: it serves. The last four are true when abnormal. */
const conditionTypes = Object.freeze([
  'Ready',
  'Available',
  'Reconciling',
  'Stalled',
  'Degraded',
  'CertificatesExpiring',
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
  /** An object of the desired name exists and has another owner. */
  foreignObject: 'ForeignObject',
  /** The API server refused an object. */
  refused: 'Refused',
  /** A pod does not become ready; the rollout has stopped at it. */
  rolloutStopped: 'RolloutStopped',
  /** Something that the user must provide is missing. */
  missing: 'Missing',
  /** A volume claim of the expected name exists, and no pod can run on it. */
  claimRefused: 'ClaimRefused',
  /** The data of a node would not outlive its pod. */
  volumeAtRisk: 'VolumeAtRisk',
  /** A node came back without the data that it had. */
  dataMissing: 'DataMissing',
  /** A node has the data of another cluster. */
  wrongCluster: 'WrongCluster',
  /** The Secret with the certificate authority is gone or damaged. */
  authorityMissing: 'AuthorityMissing',
  /** The nodes run another version than the manifest names. */
  versionMismatch: 'VersionMismatch',
  /** The API server, or a webhook behind it, fails at a request again and again. */
  apiServerFails: 'ApiServerFails',
  /** On Reconciling: no work is under way, because Stalled is True. */
  stalled: 'Stalled',
  serving: 'Serving',
  noNodeReady: 'NoNodeReady',
  /** Nodes with data are ready, and none of them reaches a majority. */
  majorityLost: 'MajorityLost',
  /** The Service for clients is missing, or does not lead to the nodes. */
  serviceWrong: 'ServiceWrong',
  nodesReady: 'NodesReady',
  /** A node has no pod, or its pod is not ready: it reports nothing that counts. */
  nodesStarting: 'NodesStarting',
  /** No report for three heartbeat periods. */
  nodesUnknown: 'NodesUnknown',
  /** Not serving, or not as it should. */
  nodesUnhealthy: 'NodesUnhealthy',
  /** Nodes that serve do not see each other. */
  nodesDisconnected: 'NodesDisconnected',
  certificatesValid: 'CertificatesValid',
  /** A certificate of a node comes near its end, and is not renewed. */
  certificateExpiring: 'CertificateExpiring',
  authorityExpiring: 'AuthorityExpiring',
  /** A container used more memory than its limit. */
  outOfMemory: 'OutOfMemory',
  imageUnavailable: 'ImageUnavailable',
  /** A container ends again and again. */
  crashLoop: 'CrashLoop',
  /** The kubelet cannot create a container. */
  containerFailed: 'ContainerFailed',
  /** The kubelet cannot create the sandbox of a pod: its network, its runtime, its cgroup. */
  sandboxFailed: 'SandboxFailed',
  /** A ResourceQuota of the namespace is used up. */
  quotaExceeded: 'QuotaExceeded',
  /** A volume is not provisioned, or not mounted. */
  storageUnavailable: 'StorageUnavailable',
  /** No machine takes the pod. */
  unschedulable: 'Unschedulable',
  /** A machine has removed the pod. */
  evicted: 'Evicted',
  /** The API server refuses the pod, or a machine does not admit it. */
  podRefused: 'PodRefused',
} as const);

export type Reason = (typeof reasons)[keyof typeof reasons];
