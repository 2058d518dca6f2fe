import { sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { concatBytes, encodeUtf8 } from '../common/bytes.ts';
import type { StateSigner } from '../gossip/state-signer.ts';
import { stateKeys } from './member-view.ts';

/**
 * Signs and verifies gossiped state with the Ed25519 keys of the nodes, for one cluster. Guarded invariant: state
 * counts only under a key that a certificate of this cluster proves now.
 */
export interface StateSigningOptions {
  readonly clusterId: string;
  readonly privateKey: KeyObject;
  /** Undefined for a node whose key is not known, or whose certificate has expired. */
  readonly keyOf: (nodeId: string) => KeyObject | undefined;
  /** The state of an unknown node introduces its key, which is to be verified. */
  readonly offered: (nodeId: string, statement: string) => void;
}

export function stateSigner(options: StateSigningOptions): StateSigner {
  const cluster = encodeUtf8(`${options.clusterId}\n`);
  const signed = (text: Uint8Array): Uint8Array => concatBytes([cluster, text]);
  return {
    sign: (text) => sign(null, signed(text), options.privateKey),
    verify(owner, text, signature, entries) {
      const key = options.keyOf(owner);
      if (key === undefined) {
        const statement = entries.get(stateKeys.statement)?.value;
        if (statement !== undefined) options.offered(owner, statement);
        return 'unknownKey';
      }
      return verify(null, signed(text), key, signature) ? 'valid' : 'invalid';
    },
  };
}
