import { codec, list, text } from './messages.ts';
import { roles } from './peer-requests.ts';
import type { Role } from './peer-requests.ts';

/** What a node says of itself at the beginning of each session, beyond what its certificate proves. */
export interface Introduction {
  readonly name: string;
  readonly roles: readonly Role[];
  /** Where it listens for other nodes: `host:port`. */
  readonly address: string;
  /** Of this process; another one under the same node ID has another one. */
  readonly instance: string;
  /** Its gossip key, certified by its certificate. */
  readonly statement: string;
}

export const introductionCodec = codec<Introduction>('introduction', {
  name: text(253),
  roles: { ...list({ enum: roles }, roles.length), minItems: 1, uniqueItems: true },
  address: text(262),
  instance: text(64),
  statement: text(32_768),
});
