/** The reference page of the API, from the descriptions, bounds and rules of the schemas. Pure. */
import type { Definition, Schema } from './schema.ts';

interface Entry {
  readonly definition: Definition;
  readonly schema: Schema;
}

interface Row {
  readonly path: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

function* rowsOf(path: string, schema: Schema): Generator<Row> {
  const required = new Set(schema.required);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const below = `${path}.${name}${property.type === 'array' ? '[]' : ''}`;
    yield { path: below, schema: property, isRequired: required.has(name) };
    yield* rowsOf(below, property);
    if (property.items !== undefined) yield* rowsOf(below, property.items);
  }
}

function typeName(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'quantity';
  if (schema.enum !== undefined)
    return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.type === 'array') return `list of ${typeName(schema.items ?? {})}`;
  if (schema.additionalProperties !== undefined) {
    return `map of ${typeName(schema.additionalProperties)}`;
  }
  return schema.type ?? 'any';
}

function rulesOf(schema: Schema): readonly string[] {
  const own = schema['x-kubernetes-validations'] ?? [];
  const ofItems = schema.items?.['x-kubernetes-validations'] ?? [];
  return [...own, ...ofItems].flatMap(({ message }) => (message === undefined ? [] : [message]));
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function meaning({ schema, isRequired }: Row): string {
  const parts = [schema.description ?? ''];
  if (isRequired) parts.push('Required.');
  if (schema.default !== undefined && typeof schema.default !== 'object') {
    parts.push(`Default: \`${JSON.stringify(schema.default)}\`.`);
  }
  if (schema.maxItems !== undefined) parts.push(`At most ${schema.maxItems}.`);
  for (const sentence of rulesOf(schema)) parts.push(`Refused with "${sentence}".`);
  return cell(parts.filter((part) => part !== '').join(' '));
}

function table(part: 'spec' | 'status', schema: Schema): string[] {
  const rows = [...rowsOf(part, schema)].map(
    (row) => `| \`${row.path}\` | ${cell(typeName(row.schema))} | ${meaning(row)} |`,
  );
  return ['| field | type | meaning |', '| --- | --- | --- |', ...rows];
}

function section({ definition, schema }: Entry): string[] {
  const { names } = definition.spec;
  const version = definition.spec.versions[0]?.name ?? '';
  const short = names.shortNames === undefined ? '' : `, short name \`${names.shortNames.join()}\``;
  const { spec = {}, status = {} } = schema.properties ?? {};
  const rules = rulesOf(schema).map((sentence) => `* Refused with "${sentence}".`);
  return [
    `## ${names.kind}`,
    '',
    `\`apiVersion: ${definition.spec.group}/${version}\`${short}. ${schema.description ?? ''}`,
    '',
    ...(rules.length > 0 ? [...rules, ''] : []),
    ...table('spec', spec),
    '',
    ...table('status', status),
    '',
  ];
}

export function referencePage(entries: readonly Entry[]): string {
  const kinds = entries.toSorted((a, b) =>
    a.definition.spec.names.kind < b.definition.spec.names.kind ? -1 : 1,
  );
  return [
    '<!-- Generated from crds/ by "npm run generate"; do not edit. -->',
    '# Reference of the Kubernetes API',
    '',
    'You write a PhotonCluster. The operator writes the PhotonPools and PhotonNodes; they are for reading.',
    '',
    ...kinds.flatMap(section),
  ].join('\n');
}
