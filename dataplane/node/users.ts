import { randomBytes } from 'node:crypto';
import type { Credentials } from '../driver-protocol/handshake.ts';
import type { WebLogin } from '../http/web.ts';
import type { Database } from '../replication/database.ts';
import type { LoginGuard } from '../security/login-guard.ts';
import { checkProof, makeVerifier, verifies } from '../security/scram.ts';

/** Users of the database as the handshake and the web port ask for them. */
export function credentialsOf(database: Database): Credentials {
  // An unknown user gets a salt of its own, as a known one does, and fails only at the end.
  const decoySalt = randomBytes(16).toString('base64');
  return {
    verifier: (user) => {
      const found = database.verifier(user);
      return found === undefined
        ? { salt: decoySalt, iterations: 4_096, known: false }
        : { salt: found.salt, iterations: found.iterations, known: true };
    },
    check: (user, message, proof) => {
      const found = database.verifier(user);
      return found === undefined ? undefined : checkProof(found, message, proof);
    },
    checkKey: (key) => allowed(database, 'admin', key),
    nonce: () => randomBytes(18).toString('base64'),
  };
}

async function allowed(database: Database, user: string, password: string): Promise<boolean> {
  const found = database.verifier(user);
  return found !== undefined && verifies(found, password);
}

/** Logins of the web port, which count as those of drivers do. */
export function webLogin(database: Database, guard: LoginGuard): WebLogin {
  return async ({ user, password, address }) => {
    const gate = guard.at(address);
    // Who says nothing guesses nothing: browsers ask first without a name.
    const isGuess = user !== undefined;
    const name = user ?? 'admin';
    const before = gate.waitMs(name);
    if (isGuess && before > 0) return { type: 'locked', waitMs: before };
    const right = await allowed(database, name, password);
    const after = gate.waitMs(name);
    if (isGuess && after > 0) return { type: 'locked', waitMs: after };
    if (isGuess && right) gate.succeeded(name);
    if (isGuess && !right) gate.failed(name);
    return { type: right ? 'allowed' : 'wrong' };
  };
}

/** The password of the configuration is the admin's from now on. */
export async function settleAdmin(database: Database, password: string): Promise<void> {
  if (await allowed(database, 'admin', password)) return;
  await database.change({
    type: 'setVerifier',
    user: 'admin',
    verifier: await makeVerifier(password),
  });
}
