import { expect } from 'chai';
import { placesOf, walMutants } from './mutants.ts';

describe('the mutants of the log', () => {
  it('have their place in the sources: whoever changes it writes the mutant anew', async () => {
    for (const mutant of walMutants) {
      expect(await placesOf(mutant), `${mutant.file}: ${mutant.bug}`).to.equal(1);
    }
  });
});
