/**
 * The objects of one kind as last seen, with indexes by owner and by chosen labels. It turns
 * listings and single sightings into changes; an object that comes back under its name with
 * another UID is a deletion and an addition, never a modification. A sighting that comes late
 * (older than what is known, or of an object that is gone) changes nothing; a listing is always
 * right, even when it goes back in time, as after a restored backup of the server. Pure.
 */
import type { CachedObject } from './object.ts';
import { keyOf } from './object.ts';
import { isOlder } from './resource-version.ts';

export type Change<T extends CachedObject> =
  | { readonly type: 'added'; readonly key: string; readonly object: T }
  | { readonly type: 'modified'; readonly key: string; readonly object: T; readonly previous: T }
  /** `object` is the last state that was seen. */
  | { readonly type: 'deleted'; readonly key: string; readonly object: T };

/** Sets of keys by an indexed value; empty sets are dropped. */
class KeyIndex {
  readonly #keys = new Map<string, Set<string>>();

  add(value: string, key: string): void {
    const keys = this.#keys.get(value);
    if (keys === undefined) this.#keys.set(value, new Set([key]));
    else keys.add(key);
  }

  remove(value: string, key: string): void {
    const keys = this.#keys.get(value);
    if (keys?.delete(key) === true && keys.size === 0) this.#keys.delete(value);
  }

  get(value: string): Iterable<string> {
    return this.#keys.get(value) ?? [];
  }

  get size(): number {
    return this.#keys.size;
  }
}

/** Gone objects that are remembered, so that a late sighting does not bring one back. */
const goneMax = 1_000;

/** Separates a label's name from its value in the index; neither can contain it. */
const separator = '\n';

export class ObjectCache<T extends CachedObject> {
  readonly #objects = new Map<string, T>();
  readonly #byOwner = new KeyIndex();
  readonly #byLabel = new KeyIndex();
  readonly #byNamespace = new KeyIndex();
  readonly #labels: readonly string[];
  readonly #goneUids = new Set<string>();

  constructor(indexedLabels: readonly string[]) {
    this.#labels = indexedLabels;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Distinct values in all indexes: stays in proportion to the objects. */
  get indexSize(): number {
    return this.#byOwner.size + this.#byLabel.size + this.#byNamespace.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  all(): readonly T[] {
    return [...this.#objects.values()];
  }

  inNamespace(namespace: string): readonly T[] {
    return this.#pick(this.#byNamespace.get(namespace));
  }

  ownedBy(uid: string): readonly T[] {
    return this.#pick(this.#byOwner.get(uid));
  }

  /** Only for the labels that the cache indexes. */
  labelled(name: string, value: string): readonly T[] {
    if (!this.#labels.includes(name)) throw new Error(`label ${name} is not indexed`);
    return this.#pick(this.#byLabel.get(name + separator + value));
  }

  /** A single sighting of an object. */
  see(object: T): readonly Change<T>[] {
    const { uid, resourceVersion } = object.metadata;
    if (uid !== undefined && this.#goneUids.has(uid)) return [];
    const known = this.#objects.get(keyOf(object.metadata))?.metadata;
    if (known?.uid === uid && isOlder(resourceVersion, known?.resourceVersion)) return [];
    return this.#put(object);
  }

  /** An object that was seen to go. The deletion of an earlier holder of the name changes nothing. */
  remove(object: T): readonly Change<T>[] {
    const key = keyOf(object.metadata);
    const previous = this.#objects.get(key);
    this.#remember(object.metadata.uid);
    if (previous === undefined || previous.metadata.uid !== object.metadata.uid) return [];
    this.#drop(key, previous);
    return [{ type: 'deleted', key, object }];
  }

  /** A complete listing: objects that it does not contain are deleted. */
  replace(objects: readonly T[]): readonly Change<T>[] {
    const listed = new Set(objects.map((object) => keyOf(object.metadata)));
    const changes: Change<T>[] = [];
    for (const [key, object] of this.#objects) {
      if (listed.has(key)) continue;
      this.#drop(key, object);
      changes.push({ type: 'deleted', key, object });
    }
    for (const object of objects) changes.push(...this.#put(object));
    return changes;
  }

  #put(object: T): readonly Change<T>[] {
    const key = keyOf(object.metadata);
    const previous = this.#objects.get(key);
    if (previous === undefined) {
      this.#store(key, object);
      return [{ type: 'added', key, object }];
    }
    if (previous.metadata.uid !== object.metadata.uid) {
      this.#remember(previous.metadata.uid);
      this.#drop(key, previous);
      this.#store(key, object);
      return [
        { type: 'deleted', key, object: previous },
        { type: 'added', key, object },
      ];
    }
    if (previous.metadata.resourceVersion === object.metadata.resourceVersion) return [];
    this.#drop(key, previous);
    this.#store(key, object);
    return [{ type: 'modified', key, object, previous }];
  }

  #remember(uid: string | undefined): void {
    if (uid === undefined) return;
    this.#goneUids.add(uid);
    if (this.#goneUids.size <= goneMax) return;
    for (const oldest of this.#goneUids) {
      this.#goneUids.delete(oldest);
      return;
    }
  }

  #pick(keys: Iterable<string>): readonly T[] {
    const picked: T[] = [];
    for (const key of keys) {
      const object = this.#objects.get(key);
      if (object !== undefined) picked.push(object);
    }
    return picked;
  }

  #store(key: string, object: T): void {
    this.#objects.set(key, object);
    const { namespace, ownerReferences, labels } = object.metadata;
    if (namespace !== undefined) this.#byNamespace.add(namespace, key);
    for (const owner of ownerReferences ?? []) this.#byOwner.add(owner.uid, key);
    for (const name of this.#labels) {
      const value = labels?.[name];
      if (value !== undefined) this.#byLabel.add(name + separator + value, key);
    }
  }

  #drop(key: string, object: T): void {
    this.#objects.delete(key);
    const { namespace, ownerReferences, labels } = object.metadata;
    if (namespace !== undefined) this.#byNamespace.remove(namespace, key);
    for (const owner of ownerReferences ?? []) this.#byOwner.remove(owner.uid, key);
    for (const name of this.#labels) {
      const value = labels?.[name];
      if (value !== undefined) this.#byLabel.remove(name + separator + value, key);
    }
  }
}
