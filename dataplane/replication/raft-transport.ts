import type { NodeId } from '../raft/configuration.ts';
import { encodeMessages } from '../raft/message-codec.ts';
import type { GroupMessage } from '../raft/message-codec.ts';

/** Votes, heartbeats and answers go before entries. */
type Urgency = 'urgent' | 'bulk';

/**
 * Messages to other nodes: one way, each may be lost, repeated or overtaken. A frame has at most
 * `messageFrameBytesMax`, or one message when that is larger: a command has up to 128 MiB.
 */
export interface RaftTransport {
  send(to: NodeId, frame: Uint8Array, urgency: Urgency): void;
}

/** A quarter of a frame between nodes. */
const messageFrameBytesMax = 1_048_576;

const bytesOf = ({ message }: GroupMessage): number =>
  message.type === 'append'
    ? message.entries.reduce(
        (sum, entry) => sum + (entry.kind === 'command' ? entry.payload.byteLength + 16 : 100),
        64,
      )
    : 64;

const urgencyOf = ({ message }: GroupMessage): Urgency =>
  message.type === 'append' && message.entries.length > 0 ? 'bulk' : 'urgent';

/** What all groups say in one turn, in one frame for each node: heartbeats of many groups are one message. */
export class TurnMessages {
  readonly #messages = new Map<NodeId, GroupMessage[]>();

  add(group: number, message: GroupMessage['message']): void {
    const known = this.#messages.get(message.to);
    if (known === undefined) this.#messages.set(message.to, [{ group, message }]);
    else known.push({ group, message });
  }

  sendTo(transport: RaftTransport): void {
    for (const [to, messages] of this.#messages) {
      for (const urgency of ['urgent', 'bulk'] as const) {
        const own = messages.filter((each) => urgencyOf(each) === urgency);
        for (const { frame, bytes } of frames(own))
          transport.send(to, encodeMessages(frame, bytes), urgency);
      }
    }
    this.#messages.clear();
  }
}

interface SizedFrame {
  readonly frame: readonly GroupMessage[];
  /** About so many. */
  readonly bytes: number;
}

function* frames(messages: readonly GroupMessage[]): Generator<SizedFrame> {
  let frame: GroupMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    const more = bytesOf(message);
    if (frame.length > 0 && bytes + more > messageFrameBytesMax) {
      yield { frame, bytes };
      [frame, bytes] = [[], 0];
    }
    frame.push(message);
    bytes += more;
  }
  if (frame.length > 0) yield { frame, bytes };
}
