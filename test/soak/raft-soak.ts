import { clusterSuite } from './cluster-mutants.ts';
import { judgeAll } from './mutants.ts';
import type { Part, Soak } from './part.ts';
import { raftSuite } from './raft-mutants.ts';
import { replicaSuite } from './replica-mutants.ts';

const mutants: Part = async ({ progress }) =>
  `${await judgeAll(raftSuite, progress)} bugs put into Raft, all found`;

const driver: Part = async ({ progress }) =>
  `${await judgeAll(clusterSuite, progress)} bugs put into the driver of Raft, all found`;

const replicas: Part = async ({ progress }) =>
  `${await judgeAll(replicaSuite, progress)} bugs put into databases over Raft, all found`;

export const raftSoak: Soak = { mutants, driver, replicas };
