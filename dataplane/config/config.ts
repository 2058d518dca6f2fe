import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { PhotonError } from '../common/errors.ts';
import { isLoopback } from './loopback.ts';
import { options, renamedOptions } from './options.ts';
import type { Option, OptionName } from './options.ts';
import { wordsOf } from './words.ts';

/** The settings of a node, from flags, then environment, then file, then defaults. */
export class ConfigError extends PhotonError {
  override readonly code = 'config.invalid';
}

type ValueOf<T extends Option> = T extends { readonly type: 'integer' }
  ? number
  : T['type'] extends 'list'
    ? readonly string[]
    : T['type'] extends 'boolean'
      ? boolean
      : string;
export type Config = { readonly [Name in OptionName]: ValueOf<(typeof options)[Name]> };

export interface ConfigSources {
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads the file of `--config`; throws when it cannot. */
  readFile(path: string): string;
}

type Raw = Record<string, unknown>;

const schemaOf = (option: Option): object => {
  const items = {
    type: 'string',
    ...(option.values === undefined ? {} : { enum: option.values }),
    ...(option.form === undefined ? {} : { pattern: option.form.pattern }),
  };
  if (option.type === 'boolean') return { type: 'boolean' };
  if (option.type === 'string') return items;
  if (option.type === 'integer') {
    const { minimum, maximum } = option;
    return {
      type: 'integer',
      ...(minimum === undefined ? {} : { minimum }),
      ...(maximum === undefined ? {} : { maximum }),
    };
  }
  const isNeeded = Array.isArray(option.default) && option.default.length > 0;
  return { type: 'array', items, uniqueItems: true, ...(isNeeded ? { minItems: 1 } : {}) };
};

const configSchema = {
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, schemaOf(option)]),
  ),
};

const validate = new Ajv({ allErrors: false }).compile(configSchema);

/** Where a value comes from: how an option is called there. */
type Naming = (name: string) => string;

const asFlag: Naming = (name) => `--${name}`;
const asVariable: Naming = (name) => `PHOTONDB_${name.toUpperCase().replaceAll('-', '_')}`;

/** `naming` is how options are written where this one stands. */
function unknownOption(name: string, naming: Naming, where = ''): ConfigError {
  const quoted = (each: string): string => `"${naming(each)}"`;
  const renamed = Object.hasOwn(renamedOptions, name) ? renamedOptions[name] : undefined;
  return new ConfigError(
    renamed === undefined
      ? `Unknown option ${quoted(name)}${where}: --help lists all of them.`
      : `The option ${quoted(name)}${where} was renamed: use ${quoted(renamed)}.`,
  );
}

const shownCharactersMax = 60;

function shown(value: unknown): string {
  const text = Array.isArray(value) ? value.map(String).join(',') : undefined;
  const json = JSON.stringify(text ?? value) ?? '';
  return json.length > shownCharactersMax ? `${json.slice(0, shownCharactersMax)}…` : json;
}

function checked(raw: Raw, naming: Naming, where: string): Raw {
  if (validate(raw)) return raw;
  const [error] = validate.errors ?? [];
  const unknown = (error?.params as { additionalProperty?: string } | undefined)
    ?.additionalProperty;
  if (unknown !== undefined) {
    throw unknownOption(unknown, (name) => name, ` in ${where}`);
  }
  const [, name = ''] = (error?.instancePath ?? '').split('/');
  const option: Option | undefined = known(name) ? options[name] : undefined;
  const takes = option === undefined ? 'another value' : wordsOf(option);
  throw new ConfigError(`${naming(name)} takes ${takes}, not ${shown(raw[name])}.`);
}

function converted(name: OptionName, text: string): unknown {
  const { type } = options[name] as Option;
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if (type === 'list') return text.split(',').filter(Boolean);
  return type === 'integer' && /^-?\d+$/.test(text) ? Number(text) : text;
}

const known = (name: string): name is OptionName => Object.hasOwn(options, name);

/** What a flag gives, and whether that is the next argument. */
function valueOf(
  name: string,
  inline: readonly string[],
  next: string | undefined,
): { readonly value: string; readonly isNext: boolean } {
  if (inline.length > 0) return { value: inline.join('='), isNext: false };
  if (known(name) && options[name].type === 'boolean') return { value: 'true', isNext: false };
  if (next !== undefined && !next.startsWith('--')) return { value: next, isNext: true };
  const takes = known(name) ? wordsOf(options[name]) : 'a path';
  throw new ConfigError(`The option "--${name}" needs a value: ${takes}.`);
}

/** `--name value`, `--name=value`, and `--name` alone where it says yes; `--config` is apart. */
function fromFlags(flags: readonly string[]): { raw: Raw; file: string | undefined } {
  const raw: Raw = {};
  let file: string | undefined;
  for (let at = 0; at < flags.length; at += 1) {
    const flag = flags[at] ?? '';
    if (!flag.startsWith('--'))
      throw new ConfigError(`Unexpected argument "${flag}": options begin with "--".`);
    const [name = '', ...inline] = flag.slice(2).split('=');
    if (name !== 'config' && !known(name)) {
      throw unknownOption(name, asFlag);
    }
    const { value, isNext } = valueOf(name, inline, flags[at + 1]);
    if (isNext) at += 1;
    if (name === 'config') file = value;
    else if (known(name)) raw[name] = converted(name, value);
  }
  return { raw, file };
}

function fromEnvironment(environment: ConfigSources['environment']): Raw {
  for (const name of Object.keys(renamedOptions)) {
    if (environment[asVariable(name)] !== undefined) throw unknownOption(name, asVariable);
  }
  const raw: Raw = {};
  for (const name of Object.keys(options)) {
    const value = environment[asVariable(name)];
    if (value !== undefined && known(name)) raw[name] = converted(name, value);
  }
  return raw;
}

function fromFile(path: string, sources: ConfigSources): Raw {
  let content: unknown;
  try {
    content = parse(sources.readFile(path));
  } catch (error) {
    throw new ConfigError(
      `The configuration file ${path} cannot be read: ${(error as Error).message}`,
    );
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== 'object' || Array.isArray(content))
    throw new ConfigError(`The configuration file ${path} must hold options by name.`);
  return checked(content as Raw, (name) => `"${name}" in ${path}`, path);
}

/** Frozen settings; throws one sentence about the first thing that is wrong. */
export function loadConfig(sources: ConfigSources): Config {
  const { raw: flags, file } = fromFlags(sources.flags);
  const environment = checked(fromEnvironment(sources.environment), asVariable, 'the environment');
  const fromDisk = file === undefined ? {} : fromFile(file, sources);
  const defaults = Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, option.default]),
  );
  const config = {
    ...defaults,
    ...fromDisk,
    ...environment,
    ...checked(flags, asFlag, 'the flags'),
  } as Config;
  checkPorts(config);
  checkJoin(config);
  return Object.freeze(config);
}

/** Those that something listens at; 0 is another free one each time. */
const listening = ['driver-port', 'cluster-port', 'http-port', 'web-port', 'admin-port'] as const;

/** A token without the hash would be sent to any server that answers. */
function checkJoin({ join, 'join-token': token, 'join-ca-hash': hash }: Config): void {
  if ((token === '') !== (hash === '')) {
    throw new ConfigError(
      'Joining needs both --join-token and --join-ca-hash: a node of the cluster prints them together.',
    );
  }
  if (token !== '' && join.length === 0) {
    throw new ConfigError('--join-token needs --join: the address of a node of the cluster.');
  }
}

function checkPorts(config: Config): void {
  listening.forEach((name, at) => {
    const other = listening.slice(0, at).find((each) => config[each] === config[name]);
    if (other === undefined || config[name] === 0) return;
    throw new ConfigError(
      `--${other} and --${name} are both ${config[name]}: each port needs a number of its own.`,
    );
  });
}

/** Addresses other than loopback require a password. */
export function passwordRefusal({ bind }: Config, password: string): string | undefined {
  if (password !== '' || isLoopback(bind)) return undefined;
  return `Listening at ${bind} needs a password: name a file that holds it with --admin-password-file.`;
}

export function checkPassword(config: Config, password: string): void {
  const refusal = passwordRefusal(config, password);
  if (refusal !== undefined) throw new ConfigError(refusal);
}
