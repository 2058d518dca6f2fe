import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { PhotonError } from '../common/errors.ts';
import { options } from './options.ts';
import type { Option, OptionName } from './options.ts';

/** The settings of a node, from flags, then environment, then file, then defaults. */
export class ConfigError extends PhotonError {
  override readonly code = 'config.invalid';
}

type ValueOf<T extends Option> = T extends { readonly type: 'integer' }
  ? number
  : T['type'] extends 'list'
    ? readonly string[]
    : string;
export type Config = { readonly [Name in OptionName]: ValueOf<(typeof options)[Name]> };

export interface ConfigSources {
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads the file of `--config`; throws when it cannot. */
  readFile(path: string): string;
}

type Raw = Record<string, unknown>;

const schemaOf = (option: Option): object => ({
  ...(option.type === 'list'
    ? { type: 'array', items: { type: 'string' } }
    : { type: option.type }),
  ...(option.minimum === undefined ? {} : { minimum: option.minimum }),
  ...(option.maximum === undefined ? {} : { maximum: option.maximum }),
  ...(option.values === undefined ? {} : { enum: option.values }),
  description: option.doc,
});

const configSchema = {
  type: 'object',
  additionalProperties: false,
  properties: Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, schemaOf(option)]),
  ),
};

const validate = new Ajv({ allErrors: false }).compile(configSchema);

function checked(raw: Raw, where: string): Raw {
  if (validate(raw)) return raw;
  const [error] = validate.errors ?? [];
  const unknown = (error?.params as { additionalProperty?: string } | undefined)
    ?.additionalProperty;
  if (unknown !== undefined) throw new ConfigError(`Unknown option "${unknown}" in ${where}.`);
  const name = (error?.instancePath ?? '').slice(1);
  throw new ConfigError(`The option "${name}" in ${where} ${error?.message ?? 'is invalid'}.`);
}

function converted(name: OptionName, text: string): unknown {
  const { type } = options[name] as Option;
  if (type === 'list') return text.split(',').filter(Boolean);
  return type === 'integer' && /^-?\d+$/.test(text) ? Number(text) : text;
}

const known = (name: string): name is OptionName => Object.hasOwn(options, name);

/** `--name value` and `--name=value`; `--config` is apart. */
function fromFlags(flags: readonly string[]): { raw: Raw; file: string | undefined } {
  const raw: Raw = {};
  let file: string | undefined;
  for (let at = 0; at < flags.length; at += 1) {
    const flag = flags[at] ?? '';
    if (!flag.startsWith('--'))
      throw new ConfigError(`Unexpected argument "${flag}": options begin with "--".`);
    const [name = '', ...inline] = flag.slice(2).split('=');
    if (name !== 'config' && !known(name)) {
      throw new ConfigError(`Unknown option "--${name}": --help lists all of them.`);
    }
    const value = inline.length > 0 ? inline.join('=') : flags[(at += 1)];
    if (value === undefined) throw new ConfigError(`The option "--${name}" needs a value.`);
    if (name === 'config') file = value;
    else if (known(name)) raw[name] = converted(name, value);
  }
  return { raw, file };
}

function fromEnvironment(environment: ConfigSources['environment']): Raw {
  const raw: Raw = {};
  for (const name of Object.keys(options)) {
    const value = environment[`PHOTONDB_${name.toUpperCase().replaceAll('-', '_')}`];
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
  return checked(content as Raw, path);
}

/** Frozen settings; throws one sentence about the first thing that is wrong. */
export function loadConfig(sources: ConfigSources): Config {
  const { raw: flags, file } = fromFlags(sources.flags);
  const environment = checked(
    fromEnvironment(sources.environment),
    'the environment (PHOTONDB_...)',
  );
  const fromDisk = file === undefined ? {} : fromFile(file, sources);
  const defaults = Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, option.default]),
  );
  const config = {
    ...defaults,
    ...fromDisk,
    ...environment,
    ...checked(flags, 'the flags'),
  } as Config;
  if (config.join.length > 0)
    throw new ConfigError('This version has no replication: leave out "join".');
  return Object.freeze(config);
}

const loopback = /^(localhost|127\.|::1$)/;

/** Beyond loopback nobody gets in without a password. */
export function checkPassword(config: Config, password: string): void {
  if (password !== '' || loopback.test(config.bind)) return;
  throw new ConfigError(
    `Listening at ${config.bind} needs a password: name a file that holds it with --admin-password-file.`,
  );
}
