/**
 * Versions of the protocol between nodes that this release speaks. 2: gossip through
 * sessions is numbered, and the state in it signed. 3: gossip of format 3.
 */
export const protocolVersion = { min: 3, max: 3 } as const;

/** What is spoken over a TLS connection to the cluster port (ALPN). */
export const applicationProtocols = {
  /** Frames between two nodes with certificates. */
  session: 'photondb/1',
  /** One request of a node without a certificate. */
  join: 'photondb-join/1',
} as const;
