/**
 * A CustomResourceDefinition as far as the generator reads it, and its schema as ordinary JSON
 * schema. Pure.
 */
interface Rule {
  readonly rule: string;
  readonly message?: string;
}

export interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-validations'?: readonly Rule[];
}

export interface Definition {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: {
      readonly kind: string;
      readonly singular: string;
      readonly shortNames?: readonly string[];
    };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

/** JSON schema, with the fields of `tsType` that json-schema-to-typescript adds to it. */
type TypeSchema = Readonly<Record<string, unknown>>;

/** Objects with fields are closed; those that keep unknown fields are open maps. */
function convert(schema: Schema): TypeSchema {
  const description = schema.description === undefined ? {} : { description: schema.description };
  if (schema['x-kubernetes-int-or-string'] === true) {
    return { ...description, tsType: 'string | number' };
  }
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) {
    return { ...description, tsType: 'Readonly<Record<string, unknown>>' };
  }
  if (schema.type === 'array') {
    return { ...description, type: 'array', items: convert(schema.items ?? {}) };
  }
  if (schema.properties !== undefined) return { ...description, ...closedObject(schema) };
  if (schema.additionalProperties !== undefined) {
    const value = convert(schema.additionalProperties);
    return { ...description, type: 'object', additionalProperties: value };
  }
  const values = schema.enum === undefined ? {} : { enum: schema.enum };
  return { ...description, type: schema.type, ...values };
}

/** Fields with a default are always there: the server fills them in. */
function closedObject(schema: Schema): TypeSchema {
  const properties = schema.properties ?? {};
  const filled = Object.keys(properties).filter((name) => properties[name]?.default !== undefined);
  return {
    type: 'object',
    additionalProperties: false,
    required: [...new Set([...(schema.required ?? []), ...filled])],
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, convert(property)]),
    ),
  };
}

/** The schema of a whole object: with its own kind as a literal, and metadata that the code knows. */
export function typeSchema(schema: Schema, kind: string): TypeSchema {
  const converted = convert(schema) as { readonly properties: Readonly<Record<string, unknown>> };
  return {
    ...converted,
    required: ['apiVersion', 'kind', 'metadata', ...(schema.required ?? [])],
    properties: {
      ...converted.properties,
      apiVersion: { tsType: 'string' },
      kind: { const: kind },
      metadata: { tsType: 'Metadata' },
    },
  };
}
