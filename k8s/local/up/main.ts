import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { ensureKube } from '../cluster/kube-build.ts';
import { loadImage, missingKernelFeature, startCluster } from '../cluster/cluster.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { debianRecord } from '../cluster/layout.ts';
import { readInstance } from '../cluster/instances.ts';
import { ensureDebianPackages, requireLinuxRoot } from '../host/debian.ts';
import { LocalError } from '../host/errors.ts';
import { consoleSteps } from '../host/steps.ts';
import type { Steps } from '../host/steps.ts';
import { buildPhotonImage } from '../image/photondb-image.ts';
import { runProgram } from '../program.ts';
import { loadData } from './data.ts';
import { withPortForward } from './forward.ts';
import {
  adminPassword,
  applySample,
  installCharts,
  serviceAddress,
  waitUntilReady,
} from './install.ts';
import type { Installation } from './install.ts';
import { instructions } from './instructions.ts';
import { parseImage, parseUpOptions, upUsage } from './options.ts';
import type { ImageReference } from './options.ts';
import { readMade, root, upInstance, writeConnection, writeMade } from './record.ts';
import type { Connection } from './record.ts';
import { contextTarget, kubectl, localTarget } from './target.ts';
import type { Target } from './target.ts';

/**
 * `npm run up`: from a fresh machine to a PhotonCluster with real documents. Every step makes sure of
 * its result rather than doing its work again, so the whole can be run twice, after Ctrl-C, and after a
 * reboot.
 */
const operatorNamespace = 'photondb-system';
const clusterNamespace = 'photondb';
/** In a user's cluster everything but the types goes into one namespace. */
const guestNamespace = 'photondb-up';

/** What a manifest means that names the repository `photondb` and no tag. */
const plainImage = `photondb:${version()}`;

const driverPort = 28015;
const webPort = 8081;

function version(): string {
  const text = readFileSync(join(root, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

async function upLocal(
  steps: Steps,
  nodes: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  await steps.run('this machine', checkMachine);
  await steps.run('Debian packages', (step) => ensureDebianPackages(step, debianRecord));
  const kube = await steps.run(
    'Kubernetes program (the first build takes 5 to 20 minutes)',
    (step) => ensureKube(step, signal),
  );
  const instance = upInstance();
  refuseOther('local', instance);
  writeMade({ mode: 'local', instance });
  const cluster = await startCluster({
    instance,
    nodes: nodeCount(instance, nodes),
    kube,
    steps,
    signal,
  });
  const image = await steps.run('image', async (step) => {
    const built = await provideImage(cluster);
    step.progress(`${built.repository}:${built.tag}, also as ${plainImage}`);
    return built;
  });
  const target = localTarget(kube, cluster.kubeconfig, signal);
  const namespace = clusterNamespace;
  const installation = { root, image, operatorNamespace, watchNamespaces: [], namespace };
  const name = await install(steps, target, installation);
  const host = await serviceAddress(target, namespace, name);
  const connection: Connection = {
    kubeconfig: cluster.kubeconfig,
    kubectl: join(kube, 'kubectl'),
    namespace,
    cluster: name,
    driver: `${host}:${driverPort}`,
    web: `http://${host}:${webPort}`,
    user: 'admin',
    password: await adminPassword(target, namespace, name),
  };
  await chooseNamespace(target, namespace);
  await steps.run('real documents', (step) => loadData(connection, step, signal));
  writeConnection(connection);
  steps.note(instructions(connection, { image: plainImage }));
}

/** Who names no namespace means that of the database. */
async function chooseNamespace(target: Target, namespace: string): Promise<void> {
  await kubectl(target, ['config', 'set-context', '--current', '--namespace', namespace]);
}

async function checkMachine(): Promise<void> {
  requireLinuxRoot('npm run up');
  const missing = await missingKernelFeature();
  if (missing === undefined) return;
  throw new LocalError(
    'local.unsupported_machine',
    `this machine lets nobody make namespaces: ${missing}`,
    'Inside a container it has to be privileged. Or use a cluster that you have: npm run up -- --context NAME --image IMAGE',
  );
}

/** What runs already keeps its number of nodes unless the user asks for more. */
function nodeCount(instance: string, wanted: number | undefined): number {
  const existing = readInstance(instance)?.nodes ?? 0;
  if (wanted === undefined) return existing || 1;
  if (wanted >= existing) return wanted;
  throw new LocalError(
    'local.invalid_instance',
    `this cluster has ${existing} nodes already, and a local cluster does not shrink`,
    'Take it down first: npm run down -- --purge',
  );
}

async function provideImage(cluster: Cluster): Promise<ImageReference> {
  const image = await buildPhotonImage(root);
  const file = join(tmpdir(), `photondb-image-${process.pid}.tar`);
  try {
    const provide = async (): Promise<string> => {
      await image.write(file);
      return file;
    };
    await loadImage(cluster, image.name, provide, `docker.io/library/${plainImage}`);
  } finally {
    rmSync(file, { force: true });
  }
  return { repository: image.repository, tag: image.tag };
}

/** Charts, sample, and the wait until it serves; answers the cluster's name. */
async function install(steps: Steps, target: Target, installation: Installation): Promise<string> {
  await steps.run('charts photondb-crds and photondb-operator', () =>
    installCharts(target, installation),
  );
  const name = await steps.run('k8s/samples/quickstart.yaml', () =>
    applySample(target, installation),
  );
  await steps.run(`PhotonCluster ${name}`, (step) =>
    waitUntilReady(target, installation, name, step),
  );
  return name;
}

async function upContext(
  steps: Steps,
  options: { context: string; image: string },
  signal: AbortSignal,
): Promise<void> {
  const { context } = options;
  const target = contextTarget(context, signal);
  await steps.run(`context ${context}`, async (step) => {
    const nodes = await kubectl(target, ['get', 'nodes', '--output', 'name']);
    step.progress(nodes.trim().split('\n').join(', '));
  });
  const namespace = guestNamespace;
  refuseOther('context', context);
  writeMade({ mode: 'context', context, namespace });
  const image = parseImage(options.image);
  const watchNamespaces = [namespace];
  const installation = { root, image, operatorNamespace: namespace, watchNamespaces, namespace };
  const name = await install(steps, target, installation);
  const kubeconfig = join(root, '.photondb', 'kubeconfig');
  const config = ['config', 'view', '--raw', '--minify', '--flatten'];
  writeFileSync(kubeconfig, await kubectl(target, config), { mode: 0o600 });
  await chooseNamespace({ ...target, kubeconfig }, namespace);
  const connection: Connection = {
    kubeconfig,
    kubectl: 'kubectl',
    namespace,
    cluster: name,
    driver: `127.0.0.1:${driverPort}`,
    web: `http://127.0.0.1:${webPort}`,
    user: 'admin',
    password: await adminPassword(target, namespace, name),
  };
  await steps.run('real documents, through kubectl port-forward', (step) =>
    withPortForward(target, connection, () => loadData(connection, step, signal)),
  );
  writeConnection(connection);
  steps.note(instructions(connection, { context }));
}

/** One checkout has one thing that is up: else `down` would not know what to take away. */
function refuseOther(mode: 'local' | 'context', name: string): void {
  const made = readMade();
  if (made === undefined) return;
  const madeName = made.mode === 'local' ? made.instance : made.context;
  if (made.mode === mode && madeName === name) return;
  throw new LocalError(
    'local.invalid_instance',
    made.mode === 'local'
      ? 'this checkout has a local cluster already'
      : `this checkout has its cluster in the context "${made.context}" already`,
    'Take it away first, with its data: npm run down -- --purge',
  );
}

await runProgram(async (signal) => {
  const options = parseUpOptions(process.argv.slice(2));
  if (options.mode === 'mistake' || options.mode === 'help') {
    if (options.mode === 'mistake') console.error(`error: ${options.message}`);
    console.error(upUsage);
    return options.mode === 'help' ? 0 : 2;
  }
  const steps = consoleSteps();
  if (options.mode === 'local') await upLocal(steps, options.nodes, signal);
  else await upContext(steps, options, signal);
  return 0;
});
