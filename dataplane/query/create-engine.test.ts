import { expect } from 'chai';
import { createQueryEngine } from './create-engine.ts';
import type { QueryOrigin } from './engine.ts';
import { RuntimeError } from './errors.ts';
import { Term } from './term-table.ts';
import { MemoryEnvironment } from './testing/memory-environment.ts';

/** Nobody waits, so nobody asks for the signal. */
const origin: QueryOrigin = {
  user: 'admin',
  get signal(): AbortSignal {
    throw new Error('a query that waits for nothing asks for a signal');
  },
};

describe('a query that waits for nothing', () => {
  const engine = createQueryEngine(new MemoryEnvironment());
  const sum = [Term.ADD, [1, 2]];

  for (const options of [{}, { durability: 'hard' }, { array_limit: [Term.ADD, [1, 2]] }]) {
    it(`is answered at once, with the options ${JSON.stringify(options)}`, () => {
      expect(engine.run(sum, options, origin)).to.deep.equal({ type: 'atom', json: '3' });
    });
  }

  it('fails at once', () => {
    expect(() => engine.run([Term.ADD, [1, 'two']], {}, origin)).to.throw(RuntimeError);
    expect(() => engine.run(sum, { array_limit: 'many' }, origin)).to.throw(RuntimeError);
  });
});
