import type { Raft } from '../raft/raft.ts';
import type { ReadAnswer } from '../raft/ready.ts';
import { NotLeaderError } from './errors.ts';

interface Waiting {
  readonly index: number;
  readonly answer: PromiseWithResolvers<void>;
}

/** Linearizable reads without a lease: those of one turn share a question to the other members (thesis 6.4). */
export class ReadIndex {
  readonly #asked = new Map<number, PromiseWithResolvers<void>>();
  /** Confirmed, but what they are to see is not handed over yet. */
  #waiting: Waiting[] = [];
  #next = 1;
  /** Whoever comes in the same turn waits for the same answer. */
  #joining: Promise<void> | undefined;

  ask(raft: Raft): Promise<void> {
    if (this.#joining !== undefined) return this.#joining;
    const id = this.#next;
    this.#next += 1;
    const answer = Promise.withResolvers<void>();
    this.#asked.set(id, answer);
    raft.read(id);
    this.#joining = answer.promise;
    return answer.promise;
  }

  /** The turn is over. */
  close(): void {
    this.#joining = undefined;
  }

  answered({ id, index }: ReadAnswer, leader: string | undefined): void {
    const answer = this.#asked.get(id);
    this.#asked.delete(id);
    if (answer === undefined) return;
    if (index === undefined) answer.reject(new NotLeaderError(leader));
    else this.#waiting.push({ index, answer });
  }

  handedOver(index: number): void {
    const isReady = (each: Waiting): boolean => each.index <= index;
    for (const { answer } of this.#waiting.filter(isReady)) answer.resolve();
    this.#waiting = this.#waiting.filter((each) => !isReady(each));
  }

  /** Nothing is answered here any more. */
  end(leader: string | undefined): void {
    const answers = [...this.#asked.values(), ...this.#waiting.map(({ answer }) => answer)];
    this.#asked.clear();
    this.#waiting = [];
    for (const { reject } of answers) reject(new NotLeaderError(leader));
  }
}
