import { expect } from 'chai';
import { checkPassword, loadConfig } from './config.ts';
import { helpText } from './help.ts';
import type { Config } from './config.ts';
import { isLoopback } from './loopback.ts';
import { options } from './options.ts';

const load = (flags: string[], environment: Record<string, string> = {}, file = ''): Config =>
  loadConfig({ flags, environment, readFile: () => file });

function refusalOf(...given: Parameters<typeof load>): string {
  try {
    load(...given);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${JSON.stringify(given)} was taken`);
}

describe('the configuration', () => {
  it('takes flags before the environment, the environment before the file, the file before defaults', () => {
    const file = 'driver-port: 1\nhttp-port: 1\nweb-port: 4\n';
    const config = load(
      ['--config', 'f', '--driver-port=3'],
      { PHOTONDB_DRIVER_PORT: '2', PHOTONDB_HTTP_PORT: '2' },
      file,
    );
    expect([config['driver-port'], config['http-port'], config['web-port']]).to.deep.equal([
      3, 2, 4,
    ]);
    expect(config.bind).to.equal('127.0.0.1');
    expect(Object.isFrozen(config)).to.equal(true);
  });

  it('says how an option of before is called now', () => {
    expect(refusalOf(['--overlay-mib', '8'])).to.equal(
      'The option "--overlay-mib" was renamed: use "--memtable-mib".',
    );
    expect(refusalOf([], { PHOTONDB_OVERLAY_MIB: '8' })).to.equal(
      'The option "PHOTONDB_OVERLAY_MIB" was renamed: use "PHOTONDB_MEMTABLE_MIB".',
    );
    expect(refusalOf(['--config', 'f'], {}, 'overlay-mib: 8')).to.equal(
      'The option "overlay-mib" in f was renamed: use "memtable-mib".',
    );
  });

  it('names what is unknown, and where it stands', () => {
    expect(refusalOf(['--nope', '1'])).to.equal(
      'Unknown option "--nope": --help lists all of them.',
    );
    expect(refusalOf(['--config', 'f'], {}, 'nope: 1')).to.equal(
      'Unknown option "nope" in f: --help lists all of them.',
    );
    expect(refusalOf(['here'])).to.contain('Unexpected argument "here"');
    expect(refusalOf(['--bind'])).to.contain('The option "--bind" needs a value: an address');
    expect(refusalOf(['--bind', '--web-port', '1'])).to.contain('"--bind" needs a value');
    expect(refusalOf(['--config', 'f'], {}, '- 1')).to.contain('must hold options by name');
  });

  it('takes a switch with and without a value', () => {
    expect(
      [load([]), load(['--found']), load(['--found=false'])].map(({ found }) => found),
    ).to.deep.equal([false, true, false]);
    expect(load(['--found', '--bind', '::1'])).to.include({ found: true, bind: '::1' });
    expect(refusalOf(['--found=yes'])).to.equal('--found takes true or false, not "yes".');
  });

  it('wants everything that joining needs', () => {
    const token = 'abcdef.0123456789abcdef';
    const hash = `sha256:${'0'.repeat(64)}`;
    const join = ['--join', 'db-0:29015,[::1]:1'];
    load(join);
    load([...join, '--join-token', token, '--join-ca-hash', hash]);
    expect(refusalOf([...join, '--join-token', token])).to.contain('both --join-token and');
    expect(refusalOf(['--join-token', token, '--join-ca-hash', hash])).to.contain('needs --join');
    expect(refusalOf(['--join', 'db-0'])).to.contain('each HOST:PORT');
    expect(refusalOf([...join, '--join-token', 'abc'])).to.contain('takes a join token');
    expect(refusalOf([...join, '--join-ca-hash', 'md5:0'])).to.contain('`sha256:` and 64');
  });

  it('lists all options for people, with what they take and their defaults', () => {
    const text = helpText();
    for (const name of Object.keys(options)) expect(text).to.contain(`  --${name}\n`);
    for (const name of ['-h, --help', '--version', '--config FILE']) expect(text).to.contain(name);
    expect(text).to.contain('Takes a whole number from 0 to 65535. Default: 28015.');
    expect(text).to.contain('Takes one of error, warn, info, debug. Default: info.');
  });

  const refused: readonly [flag: string, value: string, takes: string][] = [
    ['roles', 'cook', 'one or more of data, coordinator, consensus, observer, each once'],
    ['roles', 'data,cook', 'one or more of data, coordinator, consensus, observer'],
    ['roles', 'data,data', 'one or more of data, coordinator, consensus, observer, each once'],
    ['roles', '', 'one or more of data, coordinator, consensus, observer'],
    ['node-name', 'a b', 'a name of at most 253 letters, digits'],
    ['node-name', '', 'a name of at most 253 letters'],
    ['node-name', '-a', 'a name of at most 253 letters'],
    ['node-name', 'a/b', 'a name of at most 253 letters'],
    ['node-name', '../b', 'a name of at most 253 letters'],
    ['node-name', 'n\nready node=x', 'a name of at most 253 letters'],
    ['node-name', 'é', 'a name of at most 253 letters'],
    ['node-name', 'a'.repeat(254), 'a name of at most 253 letters'],
    ['cluster-name', '<b>', 'a name of at most 253 letters'],
    ['driver-port', 'abc', 'a whole number from 0 to 65535'],
    ['driver-port', '70000', 'a whole number from 0 to 65535'],
    ['driver-port', '-1', 'a whole number from 0 to 65535'],
    ['driver-port', '1e3', 'a whole number from 0 to 65535'],
    ['driver-port', '', 'a whole number from 0 to 65535'],
    ['log-level', 'loud', 'one of error, warn, info, debug'],
    ['connections-max', '0', 'a whole number from 1 to 65535'],
    ['data-dir', '', 'a path'],
    ['bind', '', 'an address of this machine'],
    ['bind', '127.0.0.1:80', 'an address of this machine'],
    ['bind', '[::1]', 'an address of this machine'],
  ];
  for (const [name, value, takes] of refused) {
    it(`refuses --${name} ${JSON.stringify(value.slice(0, 20))}, and says what it takes`, () => {
      expect(refusalOf([`--${name}=${value}`])).to.contain(`--${name} takes ${takes}`);
      const variable = `PHOTONDB_${name.toUpperCase().replaceAll('-', '_')}`;
      expect(refusalOf([], { [variable]: value })).to.contain(`${variable} takes ${takes}`);
    });
  }

  it('names the file in which a value cannot be taken', () => {
    const file = 'roles: [cook]\n';
    expect(refusalOf(['--config', 'f.yaml'], {}, file)).to.equal(
      '"roles" in f.yaml takes one or more of data, coordinator, consensus, observer, each once, separated by commas, not "cook".',
    );
  });

  it('takes names as Kubernetes and RethinkDB have them', () => {
    for (const name of ['orders-main-0', 'a', 'Node_1', 'db.example.com', 'a'.repeat(253)]) {
      expect(load(['--node-name', name])['node-name']).to.equal(name);
    }
    expect(load(['--roles', 'data,consensus']).roles).to.deep.equal(['data', 'consensus']);
  });

  it('gives no two ports the same number', () => {
    expect(refusalOf(['--web-port', '28015'])).to.equal(
      '--driver-port and --web-port are both 28015: each port needs a number of its own.',
    );
    load(['--web-port', '0', '--http-port', '0', '--driver-port', '0']);
  });

  it('wants a password beyond loopback', () => {
    const open = [
      '::',
      '0.0.0.0',
      'localhost.example.com',
      '127.db.example.com',
      '127.1',
      '10.0.0.1',
    ];
    for (const bind of open) {
      expect(() => checkPassword(load(['--bind', bind]), ''), bind).to.throw('needs a password');
      checkPassword(load(['--bind', bind]), 'secret');
    }
    for (const bind of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) {
      checkPassword(load(['--bind', bind]), '');
    }
  });

  it('takes an address for loopback only when it is one', () => {
    const are = [
      '127.0.0.1',
      '127.255.0.1',
      '::1',
      '0:0:0:0:0:0:0:1',
      '::ffff:127.0.0.1',
      'LOCALHOST',
    ];
    const areNot = [
      '',
      '128.0.0.1',
      '::',
      '::2',
      '::ffff:10.0.0.1',
      '::1%eth0',
      '127.0.0.1.nip.io',
      'localhost.',
      '127.1',
      '0x7f.1',
    ];
    expect(are.filter(isLoopback)).to.deep.equal(are);
    expect(areNot.filter(isLoopback)).to.deep.equal([]);
  });
});
