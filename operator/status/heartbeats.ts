/**
 * When each node last reported, by this process's own clock: a node's clock may be wrong, so
 * its heartbeat only counts by being another one than before. Pure: the time is handed in.
 */

/** A node refreshes its report every 60 s, with jitter; three of them missed, and a margin. */
const silenceMs = 4 * 60_000;

interface Heard {
  readonly heartbeat: string;
  readonly atMs: number;
}

export class Heartbeats {
  readonly #heard = new Map<string, Heard>();

  /** Notes the report that the cache shows now; `uid` is the PhotonNode's. */
  see(uid: string, heartbeat: string, nowMs: number): void {
    if (this.#heard.get(uid)?.heartbeat !== heartbeat) {
      this.#heard.set(uid, { heartbeat, atMs: nowMs });
    }
  }

  /** False after three missed refreshes. A node that was never seen counts as heard. */
  isHeard(uid: string, nowMs: number): boolean {
    const heard = this.#heard.get(uid);
    return heard === undefined || nowMs - heard.atMs <= silenceMs;
  }

  forget(uid: string): void {
    this.#heard.delete(uid);
  }

  get size(): number {
    return this.#heard.size;
  }
}
