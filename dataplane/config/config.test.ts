import { expect } from 'chai';
import { checkPassword, loadConfig } from './config.ts';
import { helpText } from './help.ts';
import type { Config } from './config.ts';

const load = (flags: string[], environment: Record<string, string> = {}, file = ''): Config =>
  loadConfig({ flags, environment, readFile: () => file });

describe('the configuration', () => {
  it('takes flags before the environment, the environment before the file, the file before defaults', () => {
    const file = 'driver-port: 1\nhttp-port: 1\nweb-port: 1\n';
    const config = load(
      ['--config', 'f', '--driver-port=3'],
      { PHOTONDB_DRIVER_PORT: '2', PHOTONDB_HTTP_PORT: '2' },
      file,
    );
    expect([config['driver-port'], config['http-port'], config['web-port']]).to.deep.equal([
      3, 2, 1,
    ]);
    expect(config.bind).to.equal('127.0.0.1');
    expect(Object.isFrozen(config)).to.equal(true);
  });

  it('names what is unknown, and where it stands', () => {
    expect(() => load(['--nope', '1'])).to.throw(
      'Unknown option "--nope": --help lists all of them.',
    );
    expect(() => load(['--config', 'f'], {}, 'nope: 1')).to.throw('Unknown option "nope" in f.');
    expect(() => load(['here'])).to.throw('Unexpected argument "here"');
    expect(() => load(['--bind'])).to.throw('The option "--bind" needs a value.');
  });

  it('lists all options for people, with their defaults', () => {
    const text = helpText();
    for (const name of Object.keys(load([]))) expect(text).to.contain(`  --${name}\n`);
    expect(text).to.contain('Port for drivers. 0 takes a free one. Default: 28015.');
    expect(text).to.contain('One of error, warn, info, debug.');
  });

  it('refuses values of the wrong type or out of range', () => {
    expect(() => load(['--driver-port', 'abc'])).to.throw(
      /"driver-port" in the flags must be integer/,
    );
    expect(() => load(['--driver-port', '70000'])).to.throw(/must be <= 65535/);
    expect(() => load([], { PHOTONDB_LOG_LEVEL: 'loud' })).to.throw(
      /"log-level" in the environment/,
    );
    expect(() => load(['--config', 'f'], {}, '- 1')).to.throw('must hold options by name');
    expect(() => load(['--join', 'a'])).to.throw('no replication');
  });

  it('wants a password beyond loopback', () => {
    expect(() => checkPassword(load(['--bind', '::']), '')).to.throw('needs a password');
    checkPassword(load(['--bind', '::']), 'secret');
    checkPassword(load([]), '');
  });
});
