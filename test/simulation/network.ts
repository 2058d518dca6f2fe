import type { Prng } from '../../dataplane/common/prng.ts';
import type { VirtualTime } from './virtual-time.ts';

/** A network that loses, delays, duplicates and reorders, and whose links can be cut in one direction. */
export interface NetworkFaults {
  /** Of messages, 0 to 1. */
  readonly loss: number;
  readonly duplication: number;
  readonly delayMs: { readonly least: number; readonly most: number };
  /** Messages that take `most` times ten: they overtake one another. */
  readonly stragglers: number;
}

export class Network<Payload> {
  readonly #time: VirtualTime;
  readonly #random: Prng;
  readonly #cut = new Set<string>();
  readonly #deliver: (to: string, payload: Payload) => void;
  faults: NetworkFaults;

  constructor(
    { time, random }: { readonly time: VirtualTime; readonly random: Prng },
    faults: NetworkFaults,
    deliver: (to: string, payload: Payload) => void,
  ) {
    this.#time = time;
    this.#random = random;
    this.faults = faults;
    this.#deliver = deliver;
  }

  /** Through a stream: nothing is lost or repeated while the link stands. */
  sendReliably(from: string, to: string, payload: Payload): void {
    this.#time.after(this.#delay(), () => {
      if (!this.isCut(from, to)) this.#deliver(to, payload);
    });
  }

  send(from: string, to: string, payload: Payload): void {
    const copies = this.#random.next() < this.faults.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.#random.next() < this.faults.loss) continue;
      this.#time.after(this.#delay(), () => {
        if (!this.isCut(from, to)) this.#deliver(to, payload);
      });
    }
  }

  #delay(): number {
    const { least, most } = this.faults.delayMs;
    const delay = least + this.#random.next() * (most - least);
    return this.#random.next() < this.faults.stragglers ? delay * 10 : delay;
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }
}
