import { ByteReader, TruncatedError } from '../common/byte-reader.ts';
import { ByteWriter } from '../common/byte-writer.ts';
import type { DocumentBytes } from '../datum/document.ts';
import { decodeSession, encodeSession } from './command-session.ts';
import type { CommandSession } from './command-session.ts';
import { CommandFormatError } from './errors.ts';
import { primaryKeyBytesMax } from './index-entry.ts';

/**
 * What the log carries for a table: results, never terms, so that replay is deterministic and
 * releases may mix. A put carries the document's canonical text.
 */
const commandFormat = 1;

export interface Operation {
  readonly key: Uint8Array;
  /**
   * The version that the key must have for this to apply; 0 for a key that must not be there,
   * `anyVersion` when whoever evaluated it could not read what was there.
   */
  readonly expectedVersion: number;
  /** The new body; undefined deletes. */
  readonly body: Uint8Array | undefined;
}

/** What a new command may hold: a body that was checked, and no other. */
export interface NewOperation extends Operation {
  readonly body: DocumentBytes | undefined;
}

export interface NewCommand extends Command {
  readonly operations: readonly NewOperation[];
}

/** Applies to any value: the version of a damaged value is unknown. */
export const anyVersion = Number.MAX_SAFE_INTEGER;

export interface Command {
  readonly keyspace: number;
  /** Given to every key that is put; greater than any version of the keyspace before. */
  readonly version: number;
  readonly operations: readonly Operation[];
  /** Of the request that it carries out; undefined for one that nobody repeats. */
  readonly session?: CommandSession | undefined;
}

/**
 * An entry at which the replicas are compared: it changes nothing, and each replica says what it has there. Releases
 * before apply it as a command without operations.
 */
export const isComparison = ({ operations, session }: Command): boolean =>
  operations.length === 0 && session === undefined;

const operationKind = { put: 1, delete: 2 } as const;

export const encodeCommand = (command: NewCommand): Uint8Array => encodeAgain(command);

/** A command that the log has, as it stands there. */
export function encodeAgain(command: Command): Uint8Array {
  const bodies = command.operations.reduce(
    (sum, { key, body }) => sum + key.byteLength + (body?.byteLength ?? 0) + 20,
    32,
  );
  const session = encodeSession(command.session);
  const writer = new ByteWriter(bodies + session.byteLength);
  writer.u8(commandFormat).u32(command.keyspace).u64(command.version);
  // Releases before had no sessions, and skip them.
  writer
    .prefixed(session)
    .u64(command.session?.sequence ?? 0)
    .u32(command.operations.length);
  for (const { key, expectedVersion, body } of command.operations) {
    writer.u8(body === undefined ? operationKind.delete : operationKind.put);
    writer.prefixed(key).u64(expectedVersion);
    if (body !== undefined) writer.prefixed(body);
  }
  return writer.finish();
}

function decodeOperation(reader: ByteReader): Operation {
  const kind = reader.u8();
  const key = reader.prefixed();
  if (key.byteLength > primaryKeyBytesMax) {
    throw new CommandFormatError(
      `a key has ${key.byteLength} bytes; ${primaryKeyBytesMax} at most can be stored`,
    );
  }
  const expectedVersion = reader.u64();
  if (kind === operationKind.put) return { key, expectedVersion, body: reader.prefixed() };
  if (kind === operationKind.delete) return { key, expectedVersion, body: undefined };
  throw new CommandFormatError(`an operation of kind ${kind} is unknown to this release`);
}

/** An entry of the log of a keyspace. Throws `table.command_format` for one that cannot be applied to it. */
export function decodeCommand(bytes: Uint8Array, wanted: number): Command {
  try {
    const reader = new ByteReader(bytes);
    const format = reader.u8();
    if (format !== commandFormat) {
      throw new CommandFormatError(
        `a command has format ${format}; this release reads ${commandFormat}`,
      );
    }
    const [keyspace, version] = [reader.u32(), reader.u64()];
    if (keyspace !== wanted) {
      throw new CommandFormatError(`a command for keyspace ${keyspace} is in the log of ${wanted}`);
    }
    const session = decodeSession(reader.prefixed(), reader.u64());
    const operations: Operation[] = [];
    // One by one: the count may promise far more than there is.
    for (let left = reader.u32(); left > 0; left -= 1) operations.push(decodeOperation(reader));
    if (reader.remaining > 0) {
      throw new CommandFormatError(`a command goes on ${reader.remaining} bytes behind its end`);
    }
    return session === undefined
      ? { keyspace, version, operations }
      : { keyspace, version, operations, session };
  } catch (error) {
    if (error instanceof TruncatedError)
      throw new CommandFormatError(`a command ends early: ${error.message}`);
    throw error;
  }
}
