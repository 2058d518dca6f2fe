/**
 * Writes what is derived from crds/: the types of the code, the chart that installs the types in
 * Kubernetes, and the reference page. `--check` writes nothing and exits with 1 when a file differs.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { compile } from 'json-schema-to-typescript';
import { parseAllDocuments } from 'yaml';
import { referencePage } from './reference-page.ts';
import type { Definition, Schema } from './schema.ts';
import { typeSchema } from './schema.ts';

const root = join(import.meta.dirname, '..', '..');

function sourceFiles(): { readonly name: string; readonly text: string }[] {
  return readdirSync(join(root, 'crds'))
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => ({ name, text: readFileSync(join(root, 'crds', name), 'utf8') }));
}

function definitionsIn(text: string): Definition[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Definition)
    .filter(({ kind }) => kind === 'CustomResourceDefinition');
}

function schemaOf(definition: Definition): Schema {
  const [version, ...others] = definition.spec.versions;
  if (version === undefined || others.length > 0) {
    throw new Error(`${definition.metadata.name}: the generator expects one version`);
  }
  return version.schema.openAPIV3Schema;
}

async function typesOf(definition: Definition): Promise<string> {
  const { kind } = definition.spec.names;
  const body = await compile(typeSchema(schemaOf(definition), kind), kind, {
    bannerComment: '',
    additionalProperties: false,
    style: { singleQuote: true },
  });
  return [
    `// Generated from crds/ by "npm run generate"; do not edit.`,
    `import type { Metadata } from '../object.ts';`,
    '',
    body,
  ].join('\n');
}

/** As a template of the chart: a removed release leaves the types, and so every cluster, in place. */
function chartTemplate(text: string): string {
  if (text.includes('{{')) throw new Error('crds/ must not contain what Helm would expand');
  const annotated = text.replaceAll(
    /^metadata:\n(\s+name: .+)$/gm,
    'metadata:\n$1\n  annotations:\n    helm.sh/resource-policy: keep',
  );
  return `# Generated from crds/ by "npm run generate"; do not edit.\n${annotated}`;
}

async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const definitions: Definition[] = [];
  for (const { name, text } of sourceFiles()) {
    files.set(join('helm', 'photondb-crds', 'templates', name), chartTemplate(text));
    for (const definition of definitionsIn(text)) {
      definitions.push(definition);
      const { singular } = definition.spec.names;
      const fileName = `${singular.replace('photon', 'photon-')}.ts`;
      files.set(join('operator', 'api', 'generated', fileName), await typesOf(definition));
    }
  }
  const schemas = definitions.map((definition) => ({ definition, schema: schemaOf(definition) }));
  files.set(join('docs', 'reference', 'api.md'), referencePage(schemas));
  return files;
}

function currentText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // Not there yet: it differs.
  }
}

async function main(args: readonly string[]): Promise<number> {
  const isCheck = args.includes('--check');
  let differing = 0;
  for (const [name, text] of await generatedFiles()) {
    const path = join(root, name);
    if (currentText(path) === text) continue;
    differing += 1;
    if (isCheck) {
      process.stderr.write(`${relative(root, path)} differs: run "npm run generate"\n`);
    } else {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      process.stdout.write(`wrote ${relative(root, path)}\n`);
    }
  }
  return isCheck && differing > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
