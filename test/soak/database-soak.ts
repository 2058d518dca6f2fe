import {
  crowdAgainAndAgain,
  cutAgainAndAgain,
} from '../../dataplane/database/testing/power-cut.ts';
import { judgeAll } from './mutants.ts';
import type { Part, Soak } from './part.ts';
import { storageSuite } from './storage-mutants.ts';

const crash: Part = async ({ seeds, progress }) => {
  // Seeds that `npm test` does not have.
  const first = 1_000_000 + (Date.now() % 1_000_000_000);
  let cuts = 0;
  for (let count = 1; count <= seeds; count += 1) {
    const seed = first + count;
    try {
      cuts += await cutAgainAndAgain(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    if (count % 100 === 0) progress(`${count} of ${seeds} seeds, ${cuts} power cuts`);
  }
  return `${seeds} seeds from ${first + 1} on, ${cuts} power cuts, nothing lost, nothing in part`;
};

/** Large edits over a log and a memtable that are full: compared with the table without a cut and after several. */
const crowded: Part = async ({ seeds, progress }) => {
  const first = 2_000_000 + (Date.now() % 1_000_000_000);
  const all = { acknowledged: 0, refused: 0, lost: 0 };
  for (let count = 1; count <= seeds; count += 1) {
    const seed = first + count;
    try {
      const counts = await crowdAgainAndAgain(seed);
      for (const key of ['acknowledged', 'refused', 'lost'] as const) all[key] += counts[key];
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    if (count % 100 === 0) progress(`${count} of ${seeds} seeds`);
  }
  return `${seeds} seeds from ${first + 1} on: ${all.acknowledged} documents acknowledged, ${all.refused} refused, ${all.lost} syncs that reported a refusal; none lost`;
};

const mutants: Part = async ({ progress }) =>
  `${await judgeAll(storageSuite, progress)} mutants, all found`;

export const databaseSoak: Soak = { mutants, crash, crowded };
