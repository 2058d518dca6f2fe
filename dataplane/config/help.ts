import { options } from './options.ts';
import type { Option } from './options.ts';
import { wordsOf } from './words.ts';

const shown = (value: Option['default']): string =>
  (Array.isArray(value) ? value.join(',') : String(value)) || 'empty';

const others = [
  ['--config FILE', 'A YAML file with options by name. Default: none.'],
  ['-h, --help', 'Prints this text.'],
  ['--version', 'Prints the version.'],
] as const;

/** All options of a node, for people. */
export const helpText = (): string =>
  [
    'One node of PhotonDB, in the foreground: npm run serve -- [--OPTION VALUE]...',
    '',
    'Each option may also be given as PHOTONDB_OPTION in the environment, or in the YAML file of --config.',
    'Ctrl-C stops the node after its running queries; a second Ctrl-C stops it immediately.',
    '',
    ...Object.entries<Option>(options).map(([name, option]) => {
      const takes = `Takes ${wordsOf(option)}.`;
      return `  --${name}\n      ${option.doc}\n      ${takes} Default: ${shown(option.default)}.`;
    }),
    ...others.map(([name, doc]) => `  ${name}\n      ${doc}`),
  ].join('\n');
