import { options } from './options.ts';
import type { Option } from './options.ts';

const shown = (value: Option['default']): string =>
  (Array.isArray(value) ? value.join(',') : String(value)) || 'empty';

/** All options of a node, for people. */
export const helpText = (): string =>
  [
    'One node of PhotonDB, in the foreground: npm run serve -- [--OPTION VALUE]...',
    '',
    'Each option may also be given as PHOTONDB_OPTION in the environment, or in the YAML file of --config.',
    '',
    ...Object.entries<Option>(options).map(([name, { doc, values, default: value }]) => {
      const choice = values === undefined ? '' : ` One of ${values.join(', ')}.`;
      return `  --${name}\n      ${doc}${choice} Default: ${shown(value)}.`;
    }),
  ].join('\n');
