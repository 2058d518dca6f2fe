'use strict';
// A walk through PhotonDB by the official JavaScript driver: prints one JSON object of what it saw.
const r = require('rethinkdb');

async function walk(host, port) {
  const seen = {};
  const connection = await r.connect({ host, port });
  const run = (query, options) => query.run(connection, options);
  const failure = (query) =>
    run(query).then(
      () => 'no error',
      (error) => [error.name, error.msg],
    );
  seen.server = Object.keys(await connection.server()).sort();
  await run(r.dbCreate('official'));
  connection.use('official');
  await run(r.tableCreate('people'));
  const people = r.table('people');
  await run(people.indexCreate('age'));
  await run(people.indexCreate('tags', { multi: true }));
  await run(people.indexWait());
  const rows = Array.from({ length: 1_000 }, (_, id) => ({
    id,
    age: id % 50,
    tags: ['a', 'b'].slice(id % 3),
  }));
  seen.inserted = (await run(people.insert(rows))).inserted;
  seen.get = await run(people.get(7));
  seen.getAll = await run(people.getAll(3, { index: 'age' }).count());
  seen.multi = await run(people.getAll('b', { index: 'tags' }).count());
  seen.between = await run(people.between(10, 13, { index: 'age' }).count());
  seen.filter = await run(people.filter(r.row('age').gt(45).and(r.row('id').lt(100))).count());
  seen.updated = (await run(people.get(7).update({ age: r.row('age').add(1) }))).replaced;
  seen.changes = (
    await run(people.get(7).update({ age: 9 }, { returnChanges: true }))
  ).changes[0].new_val.age;
  seen.deleted = (await run(people.getAll(3, { index: 'age' }).delete())).deleted;
  seen.group = await run(people.group('age').count().ungroup().nth(0));
  seen.join = await run(people.limit(3).eqJoin('id', people).zip().count());

  const cursor = await run(people, { maxBatchRows: 100 });
  seen.cursor = 0;
  for (;;) {
    try {
      await cursor.next();
      seen.cursor += 1;
    } catch (error) {
      seen.end = error.msg;
      break;
    }
  }
  const early = await run(people, { maxBatchRows: 10 });
  await early.next();
  await early.close();
  seen.each = await new Promise((resolve, reject) => {
    let count = 0;
    people.run(connection, (error, all) => {
      if (error) return reject(error);
      all.each(
        (problem) => (problem ? reject(problem) : (count += 1)),
        () => resolve(count),
      );
    });
  });

  const when = new Date('2024-02-29T12:34:56.789Z');
  await run(
    people.insert({
      id: 'values',
      when,
      bytes: Buffer.from([0, 1, 255]),
      deep: { list: [null, true] },
    }),
  );
  const values = await run(people.get('values'));
  seen.date = values.when.toISOString();
  seen.bytes = [...values.bytes];
  seen.deep = values.deep;
  seen.raw = (await run(people.get('values')('when'), { timeFormat: 'raw' })).$reql_type$;

  seen.noTable = await failure(r.table('none'));
  seen.noField = await failure(people.get(8)('none'));
  seen.userError = await failure(r.error('boom'));
  seen.wrongType = await failure(r.expr(1).add('a'));
  seen.compile = await failure(r.expr([1]).reduce(() => r.dbCreate('x')));

  await people.insert({ id: 'later' }).run(connection, { noreply: true });
  await connection.noreplyWait();
  seen.noreply = await run(people.get('later'));
  await run(people.setWriteHook((context, old, next) => next.merge({ hooked: true })));
  await run(people.insert({ id: 'hooked' }));
  seen.hook = (await run(people.get('hooked'))).hooked;
  seen.hookQuery = (await run(people.getWriteHook())).query;
  await run(people.setWriteHook(null));
  await run(people.config().update({ name: 'folk' }));
  seen.renamed = await run(r.tableList());
  seen.parallel = (
    await Promise.all(rows.slice(0, 100).map(({ id }) => run(r.table('folk').get(id))))
  ).length;
  await connection.reconnect({ noreplyWait: true });
  seen.reconnected = await run(r.expr(1));
  await run(r.dbDrop('official'));
  await connection.close();
  seen.closed = await failure(r.expr(1));
  return seen;
}

walk(process.argv[2], Number(process.argv[3])).then(
  (seen) => console.log(JSON.stringify(seen)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
