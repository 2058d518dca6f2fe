import { expect } from 'chai';
import { ConnectionLostError } from '../net/errors.ts';
import { PeerUnreachableError } from './errors.ts';
import { SteadinessWatch } from './steadiness-watch.ts';

describe('the watch over nodes that are lost and found again', () => {
  const watched = () => {
    const seen: string[] = [];
    const watch = new SteadinessWatch('a', (id) => seen.push(id));
    const changed = (status: 'alive' | 'suspect' | 'dead' | 'left', accuser?: string): void =>
      watch.changed({ id: 'b', status, incarnation: 1, accuser });
    return { watch, seen, changed };
  };

  it('counts each time once, whatever way this node has seen it', () => {
    const { watch, seen, changed } = watched();
    watch.disconnected('b', new ConnectionLostError('gone'));
    changed('suspect', 'a');
    watch.connected('b');
    changed('alive');
    changed('suspect', 'a');
    changed('alive');
    expect(seen).to.deep.equal(['b', 'b']);
  });

  it('does not count what others say, nor what was closed or left in an orderly way', () => {
    const { watch, seen, changed } = watched();
    changed('suspect', 'c');
    changed('dead', 'c');
    watch.disconnected('b', new PeerUnreachableError('The node is dead.'));
    watch.connected('b');
    changed('alive');
    watch.disconnected('b', new ConnectionLostError('gone'));
    changed('left');
    changed('alive');
    expect(seen).to.deep.equal([]);
  });
});
