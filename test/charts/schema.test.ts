import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { chartFolder, charts, root } from './commands.ts';
import type { Chart } from './commands.ts';

/** The schemas of the charts' values, judged as texts: whole, closed, and true to the type of the API. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: unknown;
}

const schemaOf = (chart: Chart): Schema =>
  JSON.parse(readFileSync(join(chartFolder(chart), 'values.schema.json'), 'utf8')) as Schema;

const valuesOf = (chart: Chart): Record<string, unknown> =>
  (parse(readFileSync(join(chartFolder(chart), 'values.yaml'), 'utf8')) ?? {}) as Record<
    string,
    unknown
  >;

function* undescribed(schema: Schema, path: string): Generator<string> {
  if (schema.description === undefined) yield `${path}: no description`;
  if (schema.type === 'object' && schema.additionalProperties === undefined)
    yield `${path}: says nothing about other keys`;
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    yield* undescribed(property, `${path}.${name}`);
  if (schema.items !== undefined) yield* undescribed(schema.items, `${path}[]`);
}

/** Every property of a schema by its path, as deep as it names properties. */
function pathsOf(schema: Schema, path = ''): string[] {
  const inner = schema.type === 'array' && schema.items !== undefined ? schema.items : schema;
  return Object.entries(inner.properties ?? {}).flatMap(([name, property]) => {
    const here = `${path}.${name}`;
    return [here, ...pathsOf(property, here)];
  });
}

interface CustomResourceDefinition {
  readonly spec: {
    readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[];
  };
}

function clusterSpec(): Schema {
  const crd = parse(
    readFileSync(join(root, 'crds', 'photonclusters.yaml'), 'utf8'),
  ) as CustomResourceDefinition;
  const spec = crd.spec.versions[0]?.schema.openAPIV3Schema.properties?.['spec'];
  if (spec === undefined) throw new Error('the type PhotonCluster has no spec');
  return spec;
}

describe('the schemas of the charts', () => {
  for (const chart of charts) {
    it(`${chart}: every value is described, and other keys are ruled on`, () => {
      expect([...undescribed(schemaOf(chart), chart)]).to.deep.equal([]);
    });

    it(`${chart}: the values that it comes with are all in the schema, and the other way round`, () => {
      const named = Object.keys(schemaOf(chart).properties ?? {}).filter(
        (name) => name !== 'global',
      );
      expect(named.sort()).to.deep.equal(Object.keys(valuesOf(chart)).sort());
    });
  }

  it('photondb-cluster: the values are the fields of PhotonCluster, no more and no fewer', () => {
    const own = ['.name', '.labels', '.annotations', '.keepOnUninstall', '.global'];
    // What Kubernetes itself defines is free in the chart: the API server judges it.
    const free = ['.pools.template.'];
    const values = pathsOf(schemaOf('photondb-cluster')).filter((path) => !own.includes(path));
    const fields = pathsOf(clusterSpec()).filter(
      (path) => !free.some((prefix) => path.startsWith(prefix)),
    );
    expect(values.sort()).to.deep.equal(fields.sort());
  });
});
