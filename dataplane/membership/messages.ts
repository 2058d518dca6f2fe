import { Ajv } from 'ajv';
import { decodeUtf8, encodeUtf8 } from '../common/bytes.ts';
import { MessageRefusedError } from './errors.ts';

/**
 * Requests between nodes that carry few and small fields travel as JSON text. Guarded invariant: what is
 * read has every field with its type and within its limit, and unknown fields of newer releases are ignored.
 */
const ajv = new Ajv();

export const text = (maxLength: number) => ({ type: 'string', maxLength }) as const;
export const uuid = {
  type: 'string',
  pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
} as const;
export const list = (items: object, maxItems: number) =>
  ({ type: 'array', items, maxItems }) as const;

export interface Codec<T> {
  encode(message: T): Uint8Array;
  /** Throws a MessageRefusedError. */
  decode(payload: Uint8Array): T;
}

/** `optional`: fields that may be absent. */
export function codec<T>(
  name: string,
  properties: Readonly<Record<keyof T & string, object>>,
  optional: readonly (keyof T & string)[] = [],
): Codec<T> {
  const all = Object.keys(properties) as (keyof T & string)[];
  const required = all.filter((key) => !optional.includes(key));
  const validate = ajv.compile({ type: 'object', required, properties });
  return {
    encode: (message) => encodeUtf8(JSON.stringify(message)),
    decode(payload) {
      let content: unknown;
      try {
        content = JSON.parse(decodeUtf8(payload));
      } catch (error) {
        throw new MessageRefusedError(`The message "${name}" is not JSON.`, { cause: error });
      }
      if (validate(content)) return content as T;
      const [error] = validate.errors ?? [];
      throw new MessageRefusedError(
        `The message "${name}" is not valid: ${error?.instancePath ?? ''} ${error?.message ?? ''}.`,
      );
    },
  };
}
