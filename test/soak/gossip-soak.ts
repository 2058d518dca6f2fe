import { gossipFuzz } from './gossip-fuzz.ts';
import { gossipSuite } from './gossip-mutants.ts';
import { judgeAll } from './mutants.ts';
import type { Part, Soak } from './part.ts';

const mutants: Part = async ({ progress }) =>
  `${await judgeAll(gossipSuite, progress)} bugs put into the membership protocol, all found`;

export const gossipSoak: Soak = { mutants, fuzz: gossipFuzz };
