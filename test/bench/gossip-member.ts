import { once } from 'node:events';
import { stdin } from 'node:process';
import { Membership } from '../../dataplane/membership/membership.ts';
import { MemoryFiles } from '../../dataplane/membership/testing/memory-files.ts';
import { machineChance } from '../../dataplane/node/chance.ts';
import { machineClock } from '../../dataplane/node/clock.ts';
import { PeerServices } from '../../dataplane/node/routing/peer-services.ts';

/**
 * One member of a cluster without a database: gossip, and the mesh of sessions by mutual TLS. Reads its
 * identity as one line of its standard input and ends with it; writes `alive ID` and `dead ID` for what it
 * learns of others.
 */
export interface MemberIdentity {
  readonly name: string;
  readonly port: number;
  readonly seeds: readonly string[];
  /** The files of the cluster by name. */
  readonly files: Readonly<Record<string, string>>;
}

async function identity(): Promise<MemberIdentity> {
  let text = '';
  while (!text.endsWith('\n')) {
    const [chunk] = (await once(stdin, 'data')) as [Buffer];
    text += chunk.toString();
  }
  return JSON.parse(text) as MemberIdentity;
}

const { name, port, seeds, files: stored } = await identity();
const files = new MemoryFiles();
for (const [file, text] of Object.entries(stored)) files.write(file, text);
const nothing = (): void => undefined;
const membership = new Membership({
  formed: {
    type: 'rejoining',
    credentials: JSON.parse(stored['credentials.json'] ?? '{}'),
    authority: undefined,
  },
  files,
  name,
  roles: ['coordinator'],
  version: '0',
  listen: { host: '127.0.0.1', port },
  advertise: '127.0.0.1',
  seeds,
  clock: machineClock,
  chance: machineChance,
  log: { info: nothing, warn: nothing },
  measured: nothing,
  served: new PeerServices(),
  renewed: nothing,
  changed: ({ id, status }) => console.log(`${status} ${id}`),
  quarantineChanged: nothing,
  failed: (error) => {
    console.error(error.message);
    process.exit(1);
  },
});
stdin.on('end', () => process.exit()).resume();
await membership.start(new AbortController().signal);
