/** Where the operator mounts the token of a pod that may read and report its own PhotonNode. */
export const identityDirectory = '/var/run/secrets/photondb.io';
