import { encodeUtf8 } from '../../common/bytes.ts';
import { evenSlots, SlotMap } from '../../partition/hash-slots.ts';
import { TableModel } from './model.ts';
import type { Change, Rows } from './model.ts';

/** One edit of a table: an entry of the log in each shard that it changes. */
export class ShardedChange {
  readonly parts = new Map<TableModel, Change>();
}

/** A table of several shards, each with a log of its own: after a crash each has what some first entries make. */
export class ShardedModel {
  readonly shards: number;
  readonly #models: readonly TableModel[];
  readonly #map: SlotMap;

  constructor(shards: number, models = Array.from({ length: shards }, () => new TableModel())) {
    this.shards = shards;
    this.#models = models;
    this.#map = new SlotMap(
      1,
      models.map((_, at) => [evenSlots(at, shards)]),
    );
  }

  #of(key: string): TableModel {
    return this.#models[this.#map.shardOf(encodeUtf8(key))] as TableModel;
  }

  /** Of a copy nobody knows which state it has until somebody looks. */
  get isKnown(): boolean {
    return this.#models.every(({ isKnown }) => isKnown);
  }

  /** By shard: entries that everybody sees by now. */
  get certainEntries(): readonly number[] {
    return this.#models.map(({ certainEntries }) => certainEntries);
  }

  /** A table of which each shard has what this one's had at some moment since so many entries. */
  between(entries: readonly number[]): ShardedModel {
    const models = this.#models.map((model, at) => model.between(entries[at] ?? 0));
    return new ShardedModel(this.shards, models);
  }

  newest(key: string): string | undefined {
    return this.#of(key).newest(key);
  }

  set(change: ShardedChange, key: string, text: string | undefined): void {
    const model = this.#of(key);
    const part = change.parts.get(model) ?? model.begin();
    change.parts.set(model, part);
    model.set(part, key, text);
  }

  acknowledged({ parts }: ShardedChange): void {
    for (const [model, part] of parts) model.acknowledged(part);
  }

  /** Fails when `found` is nothing that a crash may leave; goes on from it otherwise. */
  adopt(found: Rows, about: string): void {
    for (const [at, model] of this.#models.entries()) {
      const own = new Map([...found].filter(([key]) => this.#of(key) === model));
      model.adopt(own, `${about}, shard ${at + 1} of ${this.shards}`);
    }
  }
}
