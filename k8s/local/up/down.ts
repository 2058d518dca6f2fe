import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { haltCluster, stopCluster } from '../cluster/cluster.ts';
import { readInstances } from '../cluster/instances.ts';
import { debianRecord, stateRoot } from '../cluster/layout.ts';
import { installedPackages, requireLinuxRoot } from '../host/debian.ts';
import { cacheFolder } from '../host/files.ts';
import { consoleSteps } from '../host/steps.ts';
import type { Steps } from '../host/steps.ts';
import { runProgram } from '../program.ts';
import { forget, readMade } from './record.ts';
import type { Made } from './record.ts';
import { contextTarget, helm, kubectl, tryKubectl } from './target.ts';

/**
 * `npm run down`: takes away what `up` has recorded, and nothing else. The data stays, so that the next
 * `up` finds it again; with `--purge` it goes too, and so do the caches.
 */
const usage = `npm run down             ends what up has started; its data stays for the next up
npm run down -- --purge  removes its data and the caches too, and says what stays`;

async function downLocal(steps: Steps, instance: string, purge: boolean): Promise<void> {
  requireLinuxRoot('npm run down');
  await steps.run('processes, network, cgroups', () => haltCluster(instance));
  if (!purge) return;
  await steps.run('data', () => stopCluster(instance));
}

async function downContext(
  steps: Steps,
  { context, namespace }: Extract<Made, { mode: 'context' }>,
  options: { purge: boolean; signal: AbortSignal },
): Promise<void> {
  const target = contextTarget(context, options.signal);
  const inNamespace = ['--namespace', namespace];
  await steps.run(`PhotonClusters in ${namespace}`, () =>
    tryKubectl(target, ['delete', 'photonclusters', '--all', ...inNamespace]),
  );
  await steps.run('operator', () =>
    helm(target, ['uninstall', 'photondb-operator', '--ignore-not-found', ...inNamespace]),
  );
  if (!options.purge) {
    return steps.note(
      `The namespace ${namespace} keeps its volumes and Secrets, and the types photondb.io stay.`,
    );
  }
  await steps.run(`namespace ${namespace} with its volumes`, () =>
    kubectl(target, ['delete', 'namespace', namespace, '--ignore-not-found']),
  );
  steps.note('The types photondb.io stay: others may use them (kubectl get crd).');
}

/** The caches are for all checkouts: they stay while another cluster needs the program. */
async function removeCaches(steps: Steps): Promise<void> {
  if (readInstances().length > 0) {
    return steps.note('The caches stay: another local cluster runs from them.');
  }
  await steps.run(`caches in ${cacheFolder()}: programs, Go modules, compiler, image`, () => {
    rmSync(cacheFolder(), { recursive: true, force: true });
  });
  const packages = installedPackages(debianRecord);
  rmSync(stateRoot, { recursive: true, force: true });
  steps.note(
    packages.length === 0
      ? 'Nothing else stays but node_modules in this folder: up has installed no Debian package.'
      : `These Debian packages stay, which up has installed: ${packages.join(', ')} (apt-get purge takes them away). So does node_modules in this folder.`,
  );
}

async function down(purge: boolean, signal: AbortSignal): Promise<number> {
  const made = readMade();
  const steps = consoleSteps();
  if (made === undefined) steps.note('Nothing of this checkout is up.');
  else {
    if (made.mode === 'local') await downLocal(steps, made.instance, purge);
    else await downContext(steps, made, { purge, signal });
    // Without purge the data is remembered, so that a later --purge still finds it.
    forget(purge ? 'everything' : 'connection');
  }
  if (purge) await removeCaches(steps);
  return 0;
}

await runProgram(async (signal) => {
  try {
    const { values } = parseArgs({
      options: { purge: { type: 'boolean' }, help: { type: 'boolean' } },
    });
    if (values.help !== true) return await down(values.purge === true, signal);
    console.log(usage);
    return 0;
  } catch (error) {
    if (!(error instanceof TypeError && 'code' in error)) throw error;
    console.error(`error: ${error.message.split('. ')[0] ?? ''}\n${usage}`);
    return 2;
  }
});
