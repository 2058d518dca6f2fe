import type {
  LoggedMessage,
  MemberReport,
  NetworkReport,
  NodeIssue,
  NodeReport,
  NodeStatistics,
  RunningQuery,
  ServerName,
  ShardReport,
  TableStatistics,
  UserReport,
} from '../node-report.ts';

/** What a node would say of itself: tests put it there. */
export class MemoryReport implements NodeReport {
  readonly process = {
    version: 'rethinkdb 2.4.4 (PhotonDB 1.2.3)',
    pid: 7,
    argv: ['node', 'main.ts'],
    startedAtMs: 1_600_000_000_000,
    cacheBytes: 2_097_152,
  };
  webPort: number | undefined = 8_080;
  readonly logged: LoggedMessage[] = [];
  readonly running: RunningQuery[] = [];
  readonly problems: NodeIssue[] = [];
  readonly tables = new Map<string, TableStatistics>();
  readonly cancelled: string[] = [];

  network(): NetworkReport {
    return {
      hostname: 'machine',
      driverPort: 28_015,
      clusterPort: 29_015,
      webPort: this.webPort,
      addresses: [{ host: '127.0.0.1', port: 29_015 }],
    };
  }

  readonly others: MemberReport[] = [];

  members(): readonly MemberReport[] {
    return this.others;
  }

  servers(): readonly ServerName[] | undefined {
    return undefined;
  }

  readonly reported = new Map<string, readonly ShardReport[]>();

  async shards(): Promise<ReadonlyMap<string, readonly ShardReport[]>> {
    return this.reported;
  }

  async statistics(): Promise<NodeStatistics> {
    const queries = { total: 100, perSecond: 2 };
    return { connections: 3, activeConnections: 1, queries, tables: this.tables };
  }

  issues(): readonly NodeIssue[] {
    return this.problems;
  }

  messages(): readonly LoggedMessage[] {
    return this.logged;
  }

  async queries(): Promise<readonly RunningQuery[]> {
    return this.running;
  }

  async cancelQuery(id: string): Promise<boolean> {
    this.cancelled.push(id);
    return this.running.some((query) => query.id === id);
  }

  users(): Promise<readonly UserReport[]> {
    return Promise.resolve([{ name: 'admin', hasPassword: false }]);
  }
}
