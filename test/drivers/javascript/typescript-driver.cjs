'use strict';
// A walk through PhotonDB by rethinkdb-ts with its pool: prints one JSON object of what it saw.
const { r } = require('rethinkdb-ts');

async function walk(host, port) {
  const seen = {};
  const pool = await r.connectPool({ servers: [{ host, port }], buffer: 2, max: 8, silent: true });
  const failure = (query) =>
    query.run().then(
      () => 'no error',
      (error) => [error.name, error.msg],
    );
  await r.dbCreate('typed').run();
  const db = r.db('typed');
  await db.tableCreate('people').run();
  const people = db.table('people');
  await people.indexCreate('age').run();
  await people.indexCreate('sum', (row) => row('age').add(row('id'))).run();
  await people.indexWait().run();
  const rows = Array.from({ length: 1_000 }, (_, id) => ({ id, age: id % 50 }));
  seen.inserted = (await people.insert(rows).run()).inserted;
  seen.get = await people.get(7).run();
  seen.byFunction = await people.getAll(14, { index: 'sum' })('id').run();
  seen.order = await people
    .orderBy({ index: r.desc('id') })
    .limit(3)('id')
    .run();
  seen.update = (await people.get(7).update({ age: 8 }).run()).replaced;
  seen.upsert = (await people.insert({ id: 7, more: 1 }, { conflict: 'update' }).run()).replaced;
  seen.fold = await r
    .expr([1, 2, 3])
    .fold(0, (sum, value) => sum.add(value))
    .run();
  seen.group = (await people.group('age').count().run()).length;

  const cursor = await people.getCursor({ maxBatchRows: 50 });
  seen.cursor = 0;
  await cursor
    .eachAsync(async () => void (seen.cursor += 1))
    .catch((error) => (seen.end = error.message));
  const iterated = await people.limit(25).getCursor({ maxBatchRows: 4 });
  seen.iterated = (await iterated.toArray()).length;

  const when = new Date('1999-12-31T23:59:59.999Z');
  await people.insert({ id: 'values', when, bytes: Buffer.from([9, 8]) }).run();
  const values = await people.get('values').run();
  seen.date = values.when.toISOString();
  seen.bytes = [...values.bytes];

  seen.noTable = await failure(db.table('none'));
  seen.noField = await failure(people.get(8)('none'));
  seen.userError = await failure(r.error('boom'));

  seen.parallel = (
    await Promise.all(rows.slice(0, 200).map(({ id }) => people.get(id).run()))
  ).length;
  seen.connections = pool.getLength() <= 8;
  await people
    .setWriteHook((context, old, next) => next.merge({ key: context('primary_key') }))
    .run();
  await people.insert({ id: 'hooked' }).run();
  seen.hook = (await people.get('hooked').run()).key;
  seen.config = (await people.config().update({ durability: 'soft' }).run()).replaced;
  seen.status = await people.status()('status')('all_replicas_ready').run();
  seen.wait = await people.wait().run();
  seen.version = await r.db('rethinkdb').table('server_status').nth(0)('process')('version').run();
  await r.dbDrop('typed').run();
  seen.healthy = r.getPoolMaster().isHealthy;
  await r.getPoolMaster().drain();
  return seen;
}

walk(process.argv[2], Number(process.argv[3])).then(
  (seen) => console.log(JSON.stringify(seen)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
