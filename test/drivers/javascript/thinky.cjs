'use strict';
// A walk through PhotonDB by the ORM thinky: prints one JSON object of what it saw.
const makeThinky = require('thinky');

async function walk(host, port) {
  const seen = {};
  const thinky = makeThinky({ host, port, db: 'thought', silent: true, max: 10 });
  const { type, r } = thinky;
  const Author = thinky.createModel('Author', {
    id: type.string(),
    name: type.string().required(),
    born: type.date(),
    age: type.number().integer().min(0),
    tags: type.array().schema(type.string()),
  });
  const Post = thinky.createModel('Post', {
    id: type.string(),
    title: type.string(),
    authorId: type.string(),
  });
  const Tag = thinky.createModel('Tag', { id: type.string(), word: type.string() });
  Author.ensureIndex('name');
  Author.hasMany(Post, 'posts', 'id', 'authorId');
  Post.belongsTo(Author, 'author', 'authorId', 'id');
  Post.hasAndBelongsToMany(Tag, 'words', 'id', 'id');
  Tag.hasAndBelongsToMany(Post, 'posts', 'id', 'id');
  await Promise.all([Author.ready(), Post.ready(), Tag.ready()]);

  const ann = new Author({
    name: 'ann',
    age: 31,
    born: new Date('1993-01-01T00:00:00.000Z'),
    tags: ['x'],
  });
  ann.posts = [new Post({ title: 'first' }), new Post({ title: 'second' })];
  ann.posts[0].words = [new Tag({ word: 'red' }), new Tag({ word: 'blue' })];
  await ann.saveAll({ posts: { words: true } });
  seen.saved = ann.isSaved() && ann.posts.every((post) => post.isSaved());

  const found = await Author.get(ann.id)
    .getJoin({ posts: { words: true } })
    .run();
  seen.posts = found.posts.map(({ title }) => title).sort();
  seen.words = found.posts.flatMap((post) => post.words.map(({ word }) => word)).sort();
  seen.born = found.born.toISOString();
  seen.byIndex = (await Author.getAll('ann', { index: 'name' }).run()).length;

  found.age = 32;
  await found.save();
  seen.age = (await Author.get(ann.id).run()).age;
  seen.old = found.getOldValue().age;
  seen.invalid = await new Author({ age: -1 }).save().then(
    () => 'saved',
    (error) => error.name,
  );
  seen.missing = await Author.get('none')
    .run()
    .then(
      () => 'found',
      (error) => error.name,
    );
  await Author.save(Array.from({ length: 50 }, (_, age) => ({ name: `n${age}`, age })));
  seen.count = await Author.count().execute();
  seen.filter = await Author.filter((row) => row('age').lt(10))
    .count()
    .execute();
  seen.order = (
    await Author.orderBy({ index: r.desc('name') })
      .limit(2)
      .run()
  ).map(({ name }) => name);
  seen.update = (await Author.get(ann.id).update({ age: 33 }).run()).age;
  const [second] = await Post.filter({ title: 'second' }).run();
  await second.delete();
  seen.left = await Post.count().execute();
  await found.deleteAll({ posts: true });
  seen.gone = await Post.count().execute();
  await r.dbDrop('thought').run();
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
