import { expect } from 'chai';
import { javaWalk, runWalk } from './java-driver.ts';
import { end, removeDirectory, serve, temporaryDirectory } from './serve.ts';
import type { Served } from './serve.ts';

/** The driver's own suite is not in its artifacts: a walk through what it does. */
describe('the Java driver', function java() {
  this.timeout(1_000_000);
  const directory = temporaryDirectory();
  let served: Served | undefined;
  let seen: Record<string, unknown> = {};

  before(async () => {
    const classPath = await javaWalk();
    served = await serve(directory);
    const output = await runWalk(classPath, [served.host, String(served.driverPort)]);
    seen = JSON.parse(output) as Record<string, unknown>;
  });

  after(async () => {
    if (served !== undefined) await end(served);
    removeDirectory(directory);
  });

  it('writes documents and finds them again', () => {
    expect(seen).to.deep.include({ server: true, inserted: 1_000, get: { id: 7, age: 7 } });
    expect(seen).to.include({ missing: true, getAll: 20, between: 60, sum: 7, filter: 8 });
    expect(seen).to.deep.include({ update: 1, delete: 20, group: 49, noreply: { id: 'later' } });
  });

  it('makes objects and calls functions', () => {
    expect(seen).to.deep.include({ object: { a: [1, 2], b: 2 }, do: 10 });
  });

  it('reads sequences batch by batch, to the end or not, and many at once', () => {
    expect(seen).to.deep.include({ cursor: 980, early: 1, ordered: [999, 998, 997], parallel: 98 });
  });

  it('keeps times with their zones, and bytes', () => {
    expect(seen).to.include({ time: '2024-02-29T12:34:56.789+02:00', zone: '+02:00', bytes: 3 });
  });

  it('gets typed errors with sentences', () => {
    expect(seen).to.deep.include({
      noTable: ['ReqlOpFailedError', 'Table `java.none` does not exist.'],
      noField: ['ReqlNonExistenceError', 'No attribute `none` in object:'],
      userError: ['ReqlUserError', 'boom'],
      wrongType: ['ReqlQueryLogicError', 'Expected type NUMBER but found STRING.'],
      default: 'instead',
    });
  });

  it('sets a write hook and the configuration', () => {
    expect(seen).to.include({ hook: 'hooked', config: 1, closed: true });
    expect(seen['version']).to.match(/^rethinkdb 2\.4\.4 \(PhotonDB /);
  });
});
