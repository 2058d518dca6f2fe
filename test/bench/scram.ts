import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** The client's side of SCRAM-SHA-256 without channel binding. */
export interface ScramExchange {
  readonly first: string;
  /** The message that answers the server's challenge. */
  final(challenge: string): string;
}

const hmac = (key: Uint8Array, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();

export function scramExchange(
  user: string,
  password: string,
  nonce = randomBytes(18).toString('base64'),
): ScramExchange {
  const bare = `n=${user},r=${nonce}`;
  return {
    first: `n,,${bare}`,
    final(challenge) {
      const fields = new Map(challenge.split(',').map((field) => [field[0], field.slice(2)]));
      const salt = Buffer.from(fields.get('s') ?? '', 'base64');
      const salted = pbkdf2Sync(password, salt, Number(fields.get('i')), 32, 'sha256');
      const clientKey = hmac(salted, 'Client Key');
      const unproven = `c=biws,r=${fields.get('r') ?? ''}`;
      const stored = createHash('sha256').update(clientKey).digest();
      const signature = hmac(stored, `${bare},${challenge},${unproven}`);
      const proof = clientKey.map((byte, at) => byte ^ (signature[at] ?? 0));
      return `${unproven},p=${Buffer.from(proof).toString('base64')}`;
    },
  };
}
