/**
 * The program: reads its configuration, joins the parts, and ends well. Only this file touches
 * the environment, signals, randomness and exit codes: 0 after SIGTERM, 2 for a wrong
 * configuration, 1 for everything else; a lost lease ends the process, and a new one begins clean.
 */
import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { AuthorityStore } from './authority/authority-store.ts';
import { ServingCertificates } from './authority/serving-certificates.ts';
import { Signer } from './authority/signer.ts';
import type { SigningServer } from './authority/signing-server.ts';
import { startSigningServer } from './authority/signing-server.ts';
import { Operator } from './cluster/operator.ts';
import type { Config } from './config.ts';
import { parseConfig } from './config.ts';
import { systemClock } from './controller/clock.ts';
import type { ReconcileObservation } from './controller/controller.ts';
import { LeaderElection } from './controller/leader-election.ts';
import type { LeaderObservation } from './controller/leader-election.ts';
import { KubeClient } from './kube/client.ts';
import type { KubeConfig } from './kube/config.ts';
import { loadKubeConfig } from './kube/config.ts';
import { isKubeError } from './kube/errors.ts';
import { KubeLeaseStore } from './kube/lease-store.ts';
import { startHttpServer } from './observability/http-server.ts';
import type { Logger } from './observability/logger.ts';
import { createLogger, errorFields } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';
import { createMetrics, registerGauges } from './observability/metrics.ts';

const leaseName = 'photondb-operator';

/** Work under way ends within this time after a signal, or is cut off: it can be begun again. */
const stopMs = 12_000;

/** Bytes of a password: 144 bits. */
const passwordBytes = 18;

/** Hexadecimal digits of a hash: 48 bits, for contents of one cluster. */
const hashDigits = 12;

const random = (): number => randomBytes(4).readUInt32BE() / 2 ** 32;

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, hashDigits);
}

function observeReconcile(
  log: Logger,
  metrics: Metrics,
): (observation: ReconcileObservation) => void {
  return ({ key, outcome, durationMs, error, failures }) => {
    metrics.reconciles.inc({ outcome });
    metrics.reconcileSeconds.observe(durationMs / 1000);
    const fields = { cluster: key, outcome, durationMs: Math.round(durationMs) };
    if (outcome !== 'failed') {
      log.debug('reconciled', fields);
      return;
    }
    // Conflicts and a busy server are the weather; what lasts is news.
    const isWeather = isKubeError(error) && failures < 3;
    const level = isWeather ? 'debug' : 'warn';
    log[level]('a reconcile failed', { ...fields, failures, ...errorFields(error) });
  };
}

function createOperator(
  config: Config,
  client: KubeClient,
  log: Logger,
  metrics: Metrics,
): Operator {
  return new Operator({
    client,
    clock: systemClock,
    random,
    hash,
    signingEndpoint: config.signingEndpoint,
    operatorNamespace: config.podNamespace,
    newPassword: () => randomBytes(passwordBytes).toString('base64url'),
    namespaces: config.watchNamespaces,
    allowedPrivileges: config.allowInTemplates ?? [],
    instance: config.podName ?? hostname(),
    onReconcile: observeReconcile(log, metrics),
    onCache({ plural: resource }, observation) {
      metrics.cacheEvents.inc({ resource, type: observation.type });
      if (observation.type === 'failed') {
        log.warn('an informer failed and retries', { resource, ...errorFields(observation.error) });
      }
      if (observation.type === 'listed' && observation.missed > 0) {
        metrics.cacheMisses.inc({ resource }, observation.missed);
        log.warn('a watch missed objects', { resource, missed: observation.missed });
      }
    },
    onEvent: (outcome) => metrics.events.inc({ outcome }),
  });
}

/** Requests for certificates: apart from the work of the leader, so that neither holds up the other. */
const signingLimits = Object.freeze({ ratePerSecond: 50, burst: 200, inFlightMax: 16 });

/** Every replica signs: nodes need no leader to get their certificates. */
async function startSigning(
  config: Config,
  kubeConfig: KubeConfig,
  operator: Operator,
  { log, metrics }: { readonly log: Logger; readonly metrics: Metrics },
): Promise<SigningServer | undefined> {
  if (config.signingEndpoint === undefined) return undefined;
  const client = new KubeClient(kubeConfig, {
    limits: signingLimits,
    onRequest: ({ verb, resource, outcome }) => {
      metrics.requests.inc({ verb, resource, outcome });
    },
  });
  const clock = systemClock;
  const view = operator.signerView();
  const store = new AuthorityStore(client, clock);
  const server = await startSigningServer({
    bind: config.signingBind,
    port: config.signingPort,
    signer: new Signer({ client, clock, store, view }),
    serving: new ServingCertificates(view, store, clock),
    clock,
    log,
    onOutcome: (outcome) => metrics.certificates.inc({ outcome }),
  });
  log.info('issues certificates', { port: server.port, endpoint: config.signingEndpoint });
  return {
    port: server.port,
    async close() {
      await server.close();
      await client.close();
    },
  };
}

function conditionCounts(
  operator: Operator,
): { readonly type: string; readonly status: string; readonly count: number }[] {
  const counts = new Map<string, { type: string; status: string; count: number }>();
  for (const { status } of operator.clusters()) {
    for (const { type, status: is } of status?.conditions ?? []) {
      const entry = counts.get(`${type} ${is}`) ?? { type, status: is, count: 0 };
      counts.set(`${type} ${is}`, { ...entry, count: entry.count + 1 });
    }
  }
  return [...counts.values()];
}

function observeLeader(log: Logger, metrics: Metrics): (observation: LeaderObservation) => void {
  return (observation) => {
    const { type } = observation;
    if (type === 'leading') metrics.isLeader.set(1);
    if (type === 'lost' || type === 'released') metrics.isLeader.set(0);
    if (type === 'failed') log.warn('the lease cannot be kept', errorFields(observation.error));
    else if (type === 'waiting')
      log.info('another process is the leader', { holder: observation.holder });
    else log.info(`leader election: ${type}`);
  };
}

/** Leads when it is its turn, until the signal; false when the lease was lost. */
async function lead(
  config: Config,
  operator: Operator,
  at: { readonly client: KubeClient; readonly namespace: string },
  observers: { readonly log: Logger; readonly metrics: Metrics; readonly signal: AbortSignal },
): Promise<boolean> {
  const { log, metrics, signal } = observers;
  const work = (leading: AbortSignal): Promise<void> => operator.lead(leading);
  if (!config.leaderElection) {
    metrics.isLeader.set(1);
    await work(signal);
    return true;
  }
  const election = new LeaderElection({
    store: new KubeLeaseStore(at.client, { namespace: at.namespace, name: leaseName }),
    // A restarted container has its predecessor's name: the suffix distinguishes them.
    identity: `${config.podName ?? hostname()}_${randomBytes(4).toString('hex')}`,
    clock: systemClock,
    random,
    observe: observeLeader(log, metrics),
  });
  return (await election.run(work, signal)) === 'stopped';
}

async function run(config: Config, signal: AbortSignal): Promise<number> {
  const log = createLogger({ level: config.logLevel, format: config.logFormat });
  const metrics = createMetrics();
  const kubeConfig = await loadKubeConfig({
    kubeconfig: config.kubeconfig,
    context: config.context,
    environment: process.env,
  });
  const client = new KubeClient(kubeConfig, {
    onRequest({ verb, resource, outcome, durationMs }) {
      metrics.requests.inc({ verb, resource, outcome });
      if (verb !== 'watch') metrics.requestSeconds.observe({ verb }, durationMs / 1000);
    },
  });
  const operator = createOperator(config, client, log, metrics);
  registerGauges(metrics, {
    queueDepth: () => operator.queueDepth,
    queueOldestSeconds: () => operator.queueOldestMs / 1000,
    cachedObjects: () => operator.cachedObjects(),
    conditions: () => conditionCounts(operator),
  });
  const http = await startHttpServer({
    bind: config.httpBind,
    port: config.httpPort,
    metrics,
    isReady: () => operator.hasSynced,
  });
  const signing = await startSigning(config, kubeConfig, operator, { log, metrics });
  const namespace = config.podNamespace ?? kubeConfig.namespace;
  log.info('started', { httpPort: http.port, namespaces: config.watchNamespaces, namespace });
  operator.start();
  try {
    const isStopped = await lead(config, operator, { client, namespace }, { log, metrics, signal });
    log.info(isStopped ? 'stopped' : 'the lease was lost: a new process begins clean');
    return isStopped ? 0 : 1;
  } finally {
    await Promise.all([operator.stop(), http.close(), signing?.close()]);
    await client.close();
  }
}

async function main(): Promise<number> {
  const parsed = parseConfig(process.argv.slice(2), process.env);
  if (parsed.type === 'help') {
    process.stdout.write(parsed.text);
    return 0;
  }
  if (parsed.type === 'wrong') {
    process.stderr.write(`${parsed.message}\n`);
    return 2;
  }
  const stopper = new AbortController();
  const stop = (): void => {
    stopper.abort();
    setTimeout(() => process.exit(1), stopMs).unref();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    return await run(parsed.config, stopper.signal);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return isKubeError(error, 'kube.config') ? 2 : 1;
  }
}

process.exitCode = await main();
