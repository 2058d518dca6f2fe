import type { Chance } from '../common/chance.ts';
import type { Clock } from '../common/clock.ts';
import type { Config } from '../config/config.ts';
import type { HttpPort } from '../http/http-port.ts';
import type { HostNames } from '../http/request-rules.ts';
import type { LogHistory } from '../observability/log-history.ts';
import type { Logger } from '../observability/logger.ts';
import type { DescriptorShares } from './descriptors.ts';
import type { PortLog } from './port-log.ts';
import type { Progress } from './progress.ts';

export interface HealthPort {
  readonly port: HttpPort;
  readonly address: string;
}

/** What a node is started with. */
export interface NodeOptions {
  readonly config: Config;
  readonly password: string;
  readonly version: string;
  readonly logger: Logger;
  /** Where the API server is, when the node runs in a pod. */
  readonly apiServer: string | undefined;
  /** The command line. */
  readonly argv: readonly string[];
  readonly shares: DescriptorShares;
  /** It listens already, so that probes are answered from the first moment. */
  readonly health: HealthPort;
  readonly hosts: HostNames;
  readonly clock: Clock;
  readonly chance: Chance;
}

/** What all services of a node share. */
export interface NodeContext extends NodeOptions {
  readonly logger: LogHistory;
  readonly progress: Progress;
  readonly portLog: PortLog;
  readonly startedAt: Date;
  /** Aborted when the node stops. */
  readonly signal: AbortSignal;
  /** Fatal error: the node stops. */
  readonly fail: (error: Error) => void;
}
