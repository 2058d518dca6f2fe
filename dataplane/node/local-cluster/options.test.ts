import { expect } from 'chai';
import { clusterOptionsOf, commandOf, portFlags } from './options.ts';

describe('the options of a local cluster', () => {
  it('are its own, and those of each node', () => {
    expect(clusterOptionsOf([])).to.deep.equal({
      nodes: 3,
      directory: 'data',
      only: undefined,
      isReplicated: true,
      ports: 'fixed',
      flags: [],
    });
    const args = '--nodes 5 --data-dir=/d --only node5 --ports free --log-level warn'.split(' ');
    expect(clusterOptionsOf(args)).to.deep.equal({
      nodes: 5,
      directory: '/d',
      only: 'node5',
      isReplicated: true,
      ports: 'free',
      flags: ['--log-level', 'warn'],
    });
  });

  it('accept the option that replicated a cluster before each one is', () => {
    expect(clusterOptionsOf(['--replicated'])).to.deep.equal(clusterOptionsOf([]));
    const alone = clusterOptionsOf(['--replicated=false', '--nodes', '2']);
    expect(alone).to.include({ nodes: 2, isReplicated: false });
    expect(alone.flags).to.deep.equal([]);
  });

  it('are refused when they cannot be', () => {
    for (const [args, words] of [
      ['--nodes 0', '1, 3 or 5'],
      ['--nodes 4', 'a majority of an odd number of nodes continues'],
      ['--nodes 7', '1, 3 or 5'],
      ['--nodes x', '1, 3 or 5'],
      ['--replicated=false --nodes 17', '1 to 16'],
      ['--replicated=no', 'true or false'],
      ['--nodes', 'needs a value'],
      ['--only node4', 'one of node1, node2, node3'],
      ['--ports some', 'fixed or free'],
    ] as const) {
      expect(() => clusterOptionsOf(args.split(' ')), args).to.throw(words);
    }
  });

  it('are all in the command that starts one node again', () => {
    const again = (args: string): string => commandOf(clusterOptionsOf(args.split(' ')), 'node2');
    expect(again('--nodes 3')).to.equal(
      'npm run cluster -- --nodes 3 --data-dir data --only node2',
    );
    const given =
      '--nodes 2 --data-dir=/d --replicated=false --ports free --zone a;b --log-level warn';
    expect(again(given)).to.equal(
      "npm run cluster -- --nodes 2 --data-dir /d --only node2 --replicated=false --ports free --zone 'a;b' --log-level warn",
    );
    const options = clusterOptionsOf(['--nodes', '3', '--data-dir', "it's here"]);
    expect(commandOf(options, 'node1')).to.contain(String.raw`--data-dir 'it'\''s here'`);
  });

  it('give each node numbers that no other has', () => {
    const numbers = Array.from({ length: 16 }, (_, index) =>
      portFlags(index, 'fixed').filter((_flag, at) => at % 2 === 1),
    ).flat();
    expect(new Set(numbers).size).to.equal(numbers.length);
    expect(portFlags(0, 'fixed').slice(0, 2)).to.deep.equal(['--driver-port', '28015']);
  });
});
