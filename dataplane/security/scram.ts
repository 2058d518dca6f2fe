import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Chance } from '../common/chance.ts';

/** SCRAM-SHA-256 (RFC 5802, RFC 7677): what a server keeps of a password, and checks of a proof. */
export interface ScramVerifier {
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
}

const derive = promisify(pbkdf2);
/** What RethinkDB's drivers expect to wait for. */
const iterations = 4_096;
const saltBytes = 16;

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

async function keys(
  password: string,
  salt: Buffer,
  rounds: number,
): Promise<{ stored: Buffer; server: Buffer }> {
  const salted = await derive(password, salt, rounds, 32, 'sha256');
  return { stored: sha256(hmac(salted, 'Client Key')), server: hmac(salted, 'Server Key') };
}

export async function makeVerifier(
  password: string,
  chance: Pick<Chance, 'bytes'>,
): Promise<ScramVerifier> {
  const salt = Buffer.from(chance.bytes(saltBytes));
  const { stored, server } = await keys(password, salt, iterations);
  return {
    salt: salt.toString('base64'),
    iterations,
    storedKey: stored.toString('base64'),
    serverKey: server.toString('base64'),
  };
}

/** Whether the verifier was made of this password. */
export async function verifies(verifier: ScramVerifier, password: string): Promise<boolean> {
  const { stored } = await keys(
    password,
    Buffer.from(verifier.salt, 'base64'),
    verifier.iterations,
  );
  return timingSafeEqual(stored, Buffer.from(verifier.storedKey, 'base64'));
}

/** The server's signature when the proof is right; undefined when it is not. */
export function checkProof(
  verifier: ScramVerifier,
  authMessage: string,
  proof: string,
): string | undefined {
  const stored = Buffer.from(verifier.storedKey, 'base64');
  const given = Buffer.from(proof, 'base64');
  const signature = hmac(stored, authMessage);
  if (given.length !== signature.length) return undefined;
  const clientKey = Buffer.from(given.map((byte, at) => byte ^ (signature[at] ?? 0)));
  if (!timingSafeEqual(sha256(clientKey), stored)) return undefined;
  return hmac(Buffer.from(verifier.serverKey, 'base64'), authMessage).toString('base64');
}
