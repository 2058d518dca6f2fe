import type { Chance } from '../../common/chance.ts';
import { encodeBase64 } from '../../common/bytes.ts';
import type { Logins } from '../../driver-protocol/handshake.ts';
import type { Channel } from '../../workers/channel.ts';
import { thrownHere } from './failures.ts';
import { Fields } from './fields.ts';

/** Handshakes of a query worker: the core keeps the verifiers and counts the guesses of all workers together. */
export function remoteLogins(
  channel: Channel,
  chance: Pick<Chance, 'bytes'>,
): (address: string) => Logins {
  const ask = async (...body: unknown[]): Promise<Fields> =>
    new Fields(await thrownHere(channel.request(body)));
  return (address) => ({
    credentials: {
      verifier: async (user) => {
        const found = await ask('verifier', user);
        return { salt: found.text(), iterations: found.number(), known: found.flag() };
      },
      check: async (user, message, proof) =>
        (await ask('proof', user, message, proof)).optional((all) => all.text()),
      checkKey: async (key) =>
        (await ask('key', address, key)).oneOf(['right', 'wrong', 'busy'] as const),
      nonce: () => encodeBase64(chance.bytes(18)),
    },
    gate: {
      waitMs: async (user) => (await ask('waitMs', address, user)).number(),
      settle: async (user, isRight) => (await ask('settle', address, user, isRight)).number(),
    },
  });
}
