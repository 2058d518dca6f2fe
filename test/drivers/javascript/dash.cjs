'use strict';
// A walk through PhotonDB by rethinkdbdash with its pool: prints one JSON object of what it saw.
const dash = require('rethinkdbdash');

async function walk(host, port) {
  const seen = {};
  const r = dash({ servers: [{ host, port }], buffer: 2, max: 8, silent: true });
  const failure = (query) =>
    query.run().then(
      () => 'no error',
      (error) => [error.name, error.msg],
    );
  await r.dbCreate('dashed');
  const db = r.db('dashed');
  await db.tableCreate('people');
  const people = db.table('people');
  await people.indexCreate('age');
  await people.indexWait();
  const rows = Array.from({ length: 1_000 }, (_, id) => ({ id, age: id % 50 }));
  seen.inserted = (await people.insert(rows)).inserted;
  // Without a cursor the driver reads a sequence to its end.
  seen.all = (await people.run({ maxBatchRows: 70 })).length;
  seen.getAll = (await people.getAll(3, 4, { index: 'age' })).length;
  seen.update = (await people.filter({ age: 5 }).update({ five: true })).replaced;

  const cursor = await people.run({ cursor: true, maxBatchRows: 100 });
  seen.cursor = 0;
  await cursor
    .eachAsync(async () => void (seen.cursor += 1))
    .catch((error) => (seen.end = error.message));
  seen.stream = await new Promise((resolve, reject) => {
    let count = 0;
    const stream = people.toStream({ highWaterMark: 10 });
    stream.on('data', () => (count += 1));
    stream.on('error', reject);
    stream.on('end', () => resolve(count));
  });

  const when = new Date('2020-01-01T00:00:00.001Z');
  await people.insert({ id: 'values', when, bytes: Buffer.from('über') });
  const values = await people.get('values');
  seen.date = values.when.toISOString();
  seen.bytes = values.bytes.toString();

  seen.noTable = await failure(db.table('none'));
  seen.noField = await failure(people.get(8)('none'));
  seen.userError = await failure(r.error('boom'));
  seen.default = await people.get(8)('none').default('instead');
  seen.profile = Object.keys(await people.get(8).run({ profile: true })).sort();

  seen.parallel = (
    await Promise.all(rows.slice(0, 200).map(({ id }) => people.get(id).run()))
  ).length;
  const master = r.getPoolMaster();
  seen.length = master.getLength() <= 8;
  await r.dbDrop('dashed');
  await master.drain();
  seen.drained = master.getLength();
  return seen;
}

walk(process.argv[2], Number(process.argv[3])).then(
  (seen) => console.log(JSON.stringify(seen)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
