import { expect } from 'chai';
import { parseConfig } from './config.ts';
import type { Config } from './config.ts';

function configOf(args: readonly string[], environment: Record<string, string> = {}): Config {
  const parsed = parseConfig(args, environment);
  if (parsed.type !== 'config') throw new Error(JSON.stringify(parsed));
  return parsed.config;
}

describe('the configuration of the operator', () => {
  it('takes what templates may give to pods, and refuses what it does not know', () => {
    const parsed = parseConfig(['--allow-in-templates', 'hostPath, sysctls,'], {});
    expect(parsed).to.have.nested.property('config.allowInTemplates');
    expect(parsed).to.deep.nested.include({ 'config.allowInTemplates': ['hostPath', 'sysctls'] });
    const wrong = parseConfig([], { PHOTONDB_OPERATOR_ALLOW_IN_TEMPLATES: 'all' });
    expect(wrong).to.have.property('message').that.contains('"all" is none of hostPath');
  });

  it('watches all namespaces and elects a leader when nothing is said', () => {
    expect(configOf([])).to.deep.equal({
      watchNamespaces: [],
      httpBind: '::',
      httpPort: 8080,
      signingBind: '::',
      signingPort: 8443,
      logLevel: 'info',
      logFormat: 'json',
      leaderElection: true,
    });
  });

  it('takes flags before variables, in both forms of writing', () => {
    const environment = { PHOTONDB_OPERATOR_LOG_LEVEL: 'error', POD_NAME: 'a' };
    expect(configOf([], environment)).to.include({ logLevel: 'error', podName: 'a' });
    const flags = ['--log-level', 'debug', '--pod-name=b'];
    expect(configOf(flags, environment)).to.include({ logLevel: 'debug', podName: 'b' });
  });

  it('reads a list of namespaces without blanks and repetitions', () => {
    const { watchNamespaces } = configOf(['--watch-namespaces', ' a, b,,a']);
    expect(watchNamespaces).to.deep.equal(['a', 'b']);
  });

  it('takes the endpoint where nodes ask for certificates', () => {
    const { signingEndpoint } = configOf(['--signing-endpoint', 'https://operator.db.svc:8443']);
    expect(signingEndpoint).to.equal('https://operator.db.svc:8443');
  });

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(configOf([]))).to.equal(true);
  });

  const wrong: readonly [args: readonly string[], words: string][] = [
    [['--log-levle', 'info'], 'unknown flag --log-levle'],
    [['stray'], 'unknown flag stray'],
    [['--http-port'], '--http-port needs a value'],
    [['--http-port', '--context'], '--http-port needs a value'],
    [['--http-port', '70000'], 'from 0 to 65535, not "70000"'],
    [['--http-port', '-1'], 'from 0 to 65535, not "-1"'],
    [['--signing-port', 'x'], '--signing-port is a number from 0 to 65535, not "x"'],
    [['--signing-endpoint', 'operator:8443'], 'a URL such as https://HOST:PORT'],
    [['--signing-endpoint', 'http://operator:8443'], 'a URL such as https://HOST:PORT'],
    [['--signing-endpoint', 'https://operator/path'], 'a URL such as https://HOST:PORT'],
    [['--log-level', 'loud'], 'error, warn, info, debug, not "loud"'],
    [['--leader-election', 'yes'], 'true, false, not "yes"'],
    [['--watch-namespaces', 'A_b'], '"A_b" is no name of a namespace'],
    [['--watch-namespaces', Array.from({ length: 51 }, (_, n) => `n${n}`).join()], 'watch all'],
  ];
  for (const [args, words] of wrong) {
    it(`refuses ${args.join(' ').slice(0, 40)} in one sentence`, () => {
      const parsed = parseConfig(args, {});
      expect(parsed.type).to.equal('wrong');
      expect(parsed).to.have.property('message').that.contains(words);
      expect(parsed).to.have.property('message').that.does.not.contain('\n');
    });
  }

  it('lists every option, with its variable, on demand', () => {
    const parsed = parseConfig(['--help'], {});
    expect(parsed).to.have.property('text').that.contains('--watch-namespaces');
    expect(parsed).to.have.property('text').that.contains('PHOTONDB_OPERATOR_HTTP_PORT');
  });
});
