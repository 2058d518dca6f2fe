import { decodeUtf8 } from '../common/bytes.ts';
import { applyMetadata } from '../metadata/apply.ts';
import { readMetadataCommand } from '../metadata/command-format.ts';
import type { MetadataState } from '../metadata/state.ts';
import { entryKind } from '../replication/entry-kind.ts';
import type { LogEntry } from '../replication/log.ts';
import { ReplayError } from './errors.ts';

/** A command that was applied once and is applied again at replay. Throws when it cannot be. */
export function replayMetadata(
  state: MetadataState,
  { kind, payload }: Pick<LogEntry, 'kind' | 'payload'>,
): MetadataState {
  if (kind !== entryKind.command) throw new ReplayError(`its kind ${kind} is unknown`);
  const command = readMetadataCommand(decodeUtf8(payload));
  const result = applyMetadata(state, command);
  if (result.type === 'applied') return result.state;
  throw new ReplayError(`it was refused: ${result.message}`);
}
