import { NotLeaderError } from './errors.ts';
import type { MustRejoinError } from './errors.ts';
import type { Configuration, GroupLeader, ReplicatedGroup } from './replicated-group.ts';

/** A group whose member here lost what it had acknowledged: it neither votes nor answers. */
export class OutsideGroup implements ReplicatedGroup {
  readonly mustRejoin: MustRejoinError;
  readonly configuration: Configuration;
  readonly isFull = false;
  readonly isVoter = false;
  readonly nextIndex = 0;
  readonly leader: GroupLeader = { node: undefined, isHere: false };
  readonly matches = new Map();

  readonly tell: ReplicatedGroup['tell'];

  constructor(
    mustRejoin: MustRejoinError,
    configuration: Configuration,
    tell: ReplicatedGroup['tell'],
  ) {
    this.mustRejoin = mustRejoin;
    this.configuration = configuration;
    this.tell = tell;
  }

  get refusal(): NotLeaderError {
    return new NotLeaderError(undefined);
  }

  room(): Promise<void> {
    return Promise.reject(this.refusal);
  }

  propose(): Error {
    return this.refusal;
  }

  readable(): Promise<void> {
    return Promise.reject(this.refusal);
  }

  changeMembers(): NotLeaderError {
    return this.refusal;
  }

  transferLeadership(): NotLeaderError {
    return this.refusal;
  }

  giveState(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  takeState(): Promise<boolean> {
    return Promise.resolve(false);
  }
}
