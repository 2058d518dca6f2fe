import { join } from 'node:path';
import { expect } from 'chai';
import { pythonWithDriver, runPython } from './python-driver.ts';
import { end, removeDirectory, serve, temporaryDirectory } from './serve.ts';
import type { Served } from './serve.ts';

describe('the official Python driver', () => {
  const directory = temporaryDirectory();
  let served: Served | undefined;
  let seen: Record<string, unknown> = {};

  before(async function walkThrough() {
    this.timeout(400_000);
    await pythonWithDriver();
    served = await serve(directory);
    const script = join(import.meta.dirname, 'walkthrough.py');
    const output = await runPython(script, [served.host, String(served.driverPort)]);
    seen = JSON.parse(output) as Record<string, unknown>;
  });

  after(async () => {
    if (served !== undefined) await end(served);
    removeDirectory(directory);
  });

  it('connects and asks what server it is', () => {
    expect(seen['server']).to.deep.equal(['id', 'name', 'proxy']);
  });

  it('writes documents and finds them again', () => {
    expect(seen).to.include({ inserted: 1000, count: 1000, cursor: 1000, missing: null });
    expect(seen['get']).to.deep.equal({ id: 7, name: 'person 7', age: 7, tags: ['a'] });
  });

  it('selects by ranges, indexes and predicates', () => {
    expect(seen).to.include({ between: 60, get_all: 20, filter: 8, group: 20 });
    expect(seen['order']).to.deep.equal([999, 998, 997]);
  });

  it('updates and deletes', () => {
    expect(seen).to.include({ updated: 1, 'after update': 8, deleted: 20 });
  });

  it('transforms', () => {
    expect(seen['pluck']).to.deep.equal({ name: 'person 8', age: 8 });
    expect(seen['strings']).to.deep.equal(['PHOTON', 'DB']);
    expect(seen).to.include({ merge: true, arithmetic: 10 });
  });

  it('gets typed errors with sentences', () => {
    expect(seen['no table']).to.contain('Table `walk.none` does not exist');
    expect(seen['no field']).to.contain('No attribute `none` in object');
    expect(seen['user error']).to.equal('boom');
  });

  it('sets what only this database has', () => {
    expect(seen['expire_at']).to.equal('expires');
  });

  it('writes without waiting, and waits for what it wrote', () => {
    expect(seen['noreply']).to.deep.equal({ id: 'later' });
  });
});
