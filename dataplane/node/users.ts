import { encodeBase64 } from '../common/bytes.ts';
import type { Chance } from '../common/chance.ts';
import type { Credentials, Logins } from '../driver-protocol/handshake.ts';
import type { WebLogin } from '../http/web.ts';
import type { Database } from '../database/database.ts';
import type { GuardedLogins, LoginGuard } from '../security/login-guard.ts';
import type { PasswordChecker } from '../security/password-checker.ts';
import { checkProof, makeVerifier, verifies } from '../security/scram.ts';

const admin = 'admin';
/** When a client that got `busy` may retry. */
const busyMs = 1_000;

export interface UsersParts {
  readonly database: Pick<Database, 'verifier'>;
  readonly passwords: PasswordChecker;
  readonly logins: LoginGuard;
  readonly chance: Pick<Chance, 'bytes'>;
}

/** Users of the database as the handshakes of an address ask for them. */
export function loginsOf({
  database,
  passwords,
  logins,
  chance,
}: UsersParts): (address: string) => Logins<GuardedLogins> {
  // An unknown user gets a salt, like a known one, and fails only at the end.
  const decoySalt = encodeBase64(chance.bytes(16));
  const credentials: Omit<Credentials, 'checkKey'> = {
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
    nonce: () => encodeBase64(chance.bytes(18)),
  };
  return (address) => {
    const gate = logins.at(address);
    const isRefused = (): boolean => gate.waitMs(admin) > 0;
    return {
      gate,
      credentials: { ...credentials, checkKey: (key) => passwords.check(admin, key, isRefused) },
    };
  };
}

/** Logins of the web port, which count as those of drivers do. */
export function webLogin(passwords: PasswordChecker, guard: LoginGuard): WebLogin {
  return async ({ user, password, address }) => {
    const gate = guard.at(address);
    // Who says nothing guesses nothing: browsers ask first without a name.
    const isGuess = user !== undefined;
    const name = user ?? admin;
    const isRefused = (): boolean => isGuess && gate.waitMs(name) > 0;
    if (isRefused()) return { type: 'locked', waitMs: gate.waitMs(name) };
    const outcome = await passwords.check(name, password, isRefused);
    if (outcome === 'busy') return { type: 'busy', waitMs: busyMs };
    const right = outcome === 'right';
    // Many guesses may have been on their way at once.
    const waitMs = isGuess ? gate.settle(name, right) : 0;
    if (waitMs > 0) return { type: 'locked', waitMs };
    return { type: right ? 'allowed' : 'wrong' };
  };
}

/** The password of the configuration is the admin's from now on; false when it was before. */
export async function settleAdmin(
  database: Pick<Database, 'verifier' | 'change'>,
  password: string,
  chance: Pick<Chance, 'bytes'>,
): Promise<boolean> {
  const found = database.verifier(admin);
  if (found !== undefined && (await verifies(found, password))) return false;
  const verifier = await makeVerifier(password, chance);
  await database.change({ type: 'setVerifier', user: admin, verifier });
  return true;
}
