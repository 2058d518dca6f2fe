import { expect } from 'chai';
import { array, assert, boolean, constantFrom, integer, property, record } from 'fast-check';
import { tableChanges, tablesWith, tablesWithout } from './changes.ts';
import type { Tables } from './changes.ts';
import { tableByName, shardOfKeyspace, tablesOf } from './lookup.ts';
import { emptyState } from './state.ts';
import type { MetadataState, TableRecord } from './state.ts';
import { newTable } from './testing/new-table.ts';

const tableOf = (id: string, name: string, databaseId: string, keyspace: number): TableRecord => ({
  ...newTable(id, { name, databaseId }),
  keyspace,
  indexes: [],
});

const ids = ['a', 'b', 'c', 'd'];
const step = record({
  id: constantFrom(...ids),
  isRemoval: boolean(),
  database: constantFrom('x', 'y'),
  suffix: integer({ min: 0, max: 3 }),
});

const stateOf = (tables: Tables): MetadataState => ({ ...emptyState, tables });

/** The same tables, of which nobody knows how they came to be. */
const copied = ({ tables }: MetadataState): MetadataState => stateOf({ ...tables });

describe('changes of tables', () => {
  it('are those that a comparison finds, for one step and for many', () => {
    assert(
      property(array(step, { maxLength: 12 }), (steps) => {
        const states = [stateOf({})];
        for (const [at, { id, isRemoval, database, suffix }] of steps.entries()) {
          const { tables } = states.at(-1) ?? emptyState;
          const keyspace = tables[id]?.keyspace ?? at + 1;
          // Names are unique within a database, as the state machine keeps them.
          const table = tableOf(id, `${id}${suffix}`, database, keyspace);
          const after = isRemoval
            ? tablesWithout(tables, new Set([id]))
            : tablesWith(tables, table);
          states.push(stateOf(after));
        }
        const last = states.at(-1) ?? emptyState;
        for (const before of states) {
          expect(tableChanges(before, last)).to.deep.include(
            tableChanges(copied(before), copied(last)),
          );
        }
        for (const state of [...states, ...states.toReversed()]) {
          const plain = copied(state);
          for (const database of ['x', 'y']) {
            expect(tablesOf(state, database)).to.deep.equal(tablesOf(plain, database));
            for (const table of Object.values(state.tables)) {
              expect(tableByName(state, database, table.name)).to.equal(
                tableByName(plain, database, table.name),
              );
              expect(shardOfKeyspace(state, table.keyspace)?.table).to.equal(table);
            }
          }
        }
      }),
    );
  });
});
