/**
 * The operator's options: one table, from which flags, variables and help follow. A value is
 * checked once, here; the rest of the program gets a frozen object.
 */

import type { Privilege } from './resources/privileges.ts';
import { privileges } from './resources/privileges.ts';

interface Option {
  readonly flag: string;
  readonly variable: string;
  readonly default: string;
  readonly about: string;
}

const options = {
  watchNamespaces: {
    flag: '--watch-namespaces',
    variable: 'PHOTONDB_OPERATOR_WATCH_NAMESPACES',
    default: '',
    about: 'namespaces to watch, separated by commas; empty: all',
  },
  httpBind: {
    flag: '--http-bind',
    variable: 'PHOTONDB_OPERATOR_HTTP_BIND',
    default: '::',
    about: 'address of /metrics, /healthz and /readyz',
  },
  httpPort: {
    flag: '--http-port',
    variable: 'PHOTONDB_OPERATOR_HTTP_PORT',
    default: '8080',
    about: 'their port; 0 takes a free one',
  },
  signingBind: {
    flag: '--signing-bind',
    variable: 'PHOTONDB_OPERATOR_SIGNING_BIND',
    default: '::',
    about: 'address of the endpoint where nodes request certificates',
  },
  signingPort: {
    flag: '--signing-port',
    variable: 'PHOTONDB_OPERATOR_SIGNING_PORT',
    default: '8443',
    about: 'its port; 0 takes a free one',
  },
  signingEndpoint: {
    flag: '--signing-endpoint',
    variable: 'PHOTONDB_OPERATOR_SIGNING_ENDPOINT',
    default: '',
    about: 'the URL by which nodes reach it; empty: this operator issues no certificates',
  },
  logLevel: {
    flag: '--log-level',
    variable: 'PHOTONDB_OPERATOR_LOG_LEVEL',
    default: 'info',
    about: 'error, warn, info or debug',
  },
  logFormat: {
    flag: '--log-format',
    variable: 'PHOTONDB_OPERATOR_LOG_FORMAT',
    default: 'json',
    about: 'json or text',
  },
  allowInTemplates: {
    flag: '--allow-in-templates',
    variable: 'PHOTONDB_OPERATOR_ALLOW_IN_TEMPLATES',
    default: '',
    about: `what pool templates may give to pods, separated by commas: ${privileges.join(', ')}`,
  },
  leaderElection: {
    flag: '--leader-election',
    variable: 'PHOTONDB_OPERATOR_LEADER_ELECTION',
    default: 'true',
    about: 'false: this process is the only one',
  },
  kubeconfig: {
    flag: '--kubeconfig',
    variable: 'PHOTONDB_OPERATOR_KUBECONFIG',
    default: '',
    about: "a kubeconfig file; empty: the pod's service account",
  },
  context: {
    flag: '--context',
    variable: 'PHOTONDB_OPERATOR_CONTEXT',
    default: '',
    about: 'a context of that file; empty: the current one',
  },
  podName: {
    flag: '--pod-name',
    variable: 'POD_NAME',
    default: '',
    about: "identity of the lease holder; empty: the host's name",
  },
  podNamespace: {
    flag: '--pod-namespace',
    variable: 'POD_NAMESPACE',
    default: '',
    about: "namespace of the lease; empty: the account's namespace",
  },
} satisfies Readonly<Record<string, Option>>;

type OptionName = keyof typeof options;

export interface Config {
  readonly watchNamespaces: readonly string[];
  readonly httpBind: string;
  readonly httpPort: number;
  readonly signingBind: string;
  readonly signingPort: number;
  readonly signingEndpoint?: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Absent: nothing beyond the restricted pod security standard. */
  readonly allowInTemplates?: readonly Privilege[];
  readonly leaderElection: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly podName?: string;
  readonly podNamespace?: string;
}

type LogLevel = 'error' | 'warn' | 'info' | 'debug';
type LogFormat = 'json' | 'text';

export type ParsedConfig =
  | { readonly type: 'config'; readonly config: Config }
  | { readonly type: 'help'; readonly text: string }
  /** One sentence that says what is wrong, and where. */
  | { readonly type: 'wrong'; readonly message: string };

/** There are informers for each namespace and kind: for a longer list, watch all namespaces. */
const namespacesMax = 50;

const namespacePattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

class WrongValue extends Error {}

type Raw = Readonly<Record<OptionName, string>>;

function optionOf(flag: string): OptionName | undefined {
  return (Object.keys(options) as OptionName[]).find((name) => options[name].flag === flag);
}

/** `--flag value` and `--flag=value`. */
function readFlags(args: readonly string[]): Partial<Record<OptionName, string>> {
  const values: Partial<Record<OptionName, string>> = {};
  for (let index = 0; index < args.length; index += 1) {
    const [flag = '', ...rest] = (args[index] ?? '').split('=');
    const name = optionOf(flag);
    if (name === undefined) {
      throw new WrongValue(`unknown flag ${flag}: --help lists what there is`);
    }
    const isInline = rest.length > 0;
    const value = isInline ? rest.join('=') : args[index + 1];
    if (value === undefined || (!isInline && value.startsWith('--'))) {
      throw new WrongValue(`${flag} needs a value`);
    }
    if (!isInline) index += 1;
    values[name] = value;
  }
  return values;
}

function oneOf<T extends string>(raw: Raw, name: OptionName, allowed: readonly T[]): T {
  const value = allowed.find((each) => each === raw[name]);
  if (value === undefined) {
    throw new WrongValue(`${options[name].flag} is ${allowed.join(', ')}, not "${raw[name]}"`);
  }
  return value;
}

function port(raw: Raw, name: 'httpPort' | 'signingPort'): number {
  const value = raw[name];
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) {
    throw new WrongValue(`${options[name].flag} is a number from 0 to 65535, not "${value}"`);
  }
  return Number(value);
}

function endpoint(raw: Raw): Pick<Config, 'signingEndpoint'> {
  const { signingEndpoint: text } = raw;
  if (text === '') return {};
  const url = URL.parse(text);
  const isBare = url?.pathname === '/' && url.search === '' && url.hash === '';
  if (url?.protocol === 'https:' && isBare) return { signingEndpoint: url.origin };
  throw new WrongValue(`--signing-endpoint is a URL such as https://HOST:PORT, not "${text}"`);
}

function namespaces(raw: Raw): readonly string[] {
  const names = raw.watchNamespaces.split(',').map((name) => name.trim());
  const unique = [...new Set(names.filter((name) => name !== ''))];
  const wrong = unique.find((name) => !namespacePattern.test(name));
  if (wrong !== undefined) {
    throw new WrongValue(`--watch-namespaces: "${wrong}" is no name of a namespace`);
  }
  if (unique.length > namespacesMax) {
    throw new WrongValue(`--watch-namespaces takes ${namespacesMax} names at most: watch all`);
  }
  return unique;
}

function privilegesOf(raw: Raw): Pick<Config, 'allowInTemplates'> {
  const names = raw.allowInTemplates.split(',').map((name) => name.trim());
  const given = [...new Set(names.filter((name) => name !== ''))].map((name) => {
    const privilege = privileges.find((each) => each === name);
    if (privilege !== undefined) return privilege;
    throw new WrongValue(`--allow-in-templates: "${name}" is none of ${privileges.join(', ')}`);
  });
  return given.length === 0 ? {} : { allowInTemplates: given };
}

function optional<K extends 'kubeconfig' | 'context' | 'podName' | 'podNamespace'>(
  raw: Raw,
  name: K,
): Partial<Record<K, string>> {
  return raw[name] === '' ? {} : ({ [name]: raw[name] } as Record<K, string>);
}

function build(raw: Raw): Config {
  return Object.freeze({
    watchNamespaces: namespaces(raw),
    httpBind: raw.httpBind,
    httpPort: port(raw, 'httpPort'),
    signingBind: raw.signingBind,
    signingPort: port(raw, 'signingPort'),
    ...endpoint(raw),
    logLevel: oneOf<LogLevel>(raw, 'logLevel', ['error', 'warn', 'info', 'debug']),
    logFormat: oneOf<LogFormat>(raw, 'logFormat', ['json', 'text']),
    ...privilegesOf(raw),
    leaderElection: oneOf(raw, 'leaderElection', ['true', 'false']) === 'true',
    ...optional(raw, 'kubeconfig'),
    ...optional(raw, 'context'),
    ...optional(raw, 'podName'),
    ...optional(raw, 'podNamespace'),
  });
}

function help(): string {
  const lines = Object.values(options).map(
    ({ flag, variable, about, default: standard }) =>
      `  ${flag.padEnd(20)} ${about} (${variable}${standard === '' ? '' : `, default ${standard}`})`,
  );
  return `The operator of PhotonDB. Options:\n${lines.join('\n')}\n`;
}

/** Flags win over variables, variables over defaults. */
export function parseConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ParsedConfig {
  if (args.includes('--help')) return { type: 'help', text: help() };
  try {
    const flags = readFlags(args);
    const names = Object.keys(options) as OptionName[];
    const raw = Object.fromEntries(
      names.map((name) => {
        const { variable, default: standard } = options[name];
        return [name, flags[name] ?? environment[variable] ?? standard];
      }),
    ) as Record<OptionName, string>;
    return { type: 'config', config: build(raw) };
  } catch (error) {
    if (error instanceof WrongValue) return { type: 'wrong', message: error.message };
    throw error;
  }
}
