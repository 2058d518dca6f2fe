/** What is spoken over a TLS connection to the cluster port (ALPN). */
export const applicationProtocols = {
  /** Frames between two nodes with certificates. */
  session: 'photondb/1',
  /** One request of a node without a certificate. */
  join: 'photondb-join/1',
} as const;
