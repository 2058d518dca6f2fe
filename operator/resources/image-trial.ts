/**
 * A pod that tests new images next to the serving pod, on the same machine: the database starts
 * on an empty directory with the configuration that it is going to have, and stops; other images
 * are only pulled. What does not start there must not take the place of what serves. Pure.
 */
import type { V1Container, V1PodSpec } from '@kubernetes/client-node';
import type { PhotonCluster } from '../api/generated/photon-cluster.ts';
import type { Metadata } from '../api/object.ts';
import type { Hash, Manifest } from './manifest.ts';
import { canonicalText, ownedMetadata } from './manifest.ts';
import { trialName } from './names.ts';
import { nodeContainer } from './overlay.ts';

export const trialLabel = Object.freeze({ 'app.kubernetes.io/component': 'image-trial' });
export const trialAnnotation = 'photondb.io/trial';

/** Names the image that may be rolled out without a trial. */
export const skipTrialAnnotation = 'photondb.io/skip-image-trial';

/** A start on an empty directory takes a few seconds; a pull is not counted. */
const startSeconds = 120;

/** Enough to be admitted on a full machine: what it uses beyond that is bounded by the limits. */
const requests = Object.freeze({ cpu: '10m', memory: '64Mi' });

/**
 * Runs the program with the given arguments until it serves, and leaves its version as the message
 * of the container; else the last that it said.
 */
const script = `
const { spawn } = require('node:child_process');
const { readFileSync, writeFileSync } = require('node:fs');
const child = spawn(process.execPath, process.argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
const end = (code, words) => {
  writeFileSync('/dev/termination-log', words);
  process.exit(code);
};
let said = '';
let serves = false;
const hear = (chunk) => {
  said = (said + chunk).slice(-65536);
  if (serves || !/^ready /m.test(said)) return;
  serves = true;
  child.kill('SIGTERM');
};
child.stdout.on('data', hear);
child.stderr.on('data', hear);
setTimeout(() => child.kill('SIGKILL'), ${startSeconds} * 1000).unref();
child.on('close', (code, signal) => {
  if (serves) end(0, JSON.parse(readFileSync('package.json', 'utf8')).version);
  const how = signal === 'SIGKILL' ? 'it did not serve within ${startSeconds} s: ' : '';
  end(1, how + (said.trim().slice(-300) || 'ended by ' + (signal ?? 'exit code ' + code)));
});
`;

type Images = ReadonlySet<string>;

export interface TrialPod extends Manifest {
  readonly metadata: Metadata;
  readonly spec: V1PodSpec;
}

interface Template {
  readonly spec: V1PodSpec;
}

function containersOf({ spec }: Template): readonly V1Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers];
}

/** Images that the machine of the pod may not have, or may have in another version. */
export function untriedImages(template: Template, running: Images): Images {
  const untried = containersOf(template).flatMap(({ image = '', imagePullPolicy }) =>
    !running.has(image) || imagePullPolicy === 'Always' ? [image] : [],
  );
  return new Set(untried);
}

const ownMounts: readonly string[] = ['data', 'config', 'admin', 'tmp'];

function startOf(container: V1Container): V1Container {
  const { name, image, imagePullPolicy, args = [], env, resources, securityContext } = container;
  return {
    name,
    ...(image === undefined ? {} : { image }),
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    args: ['-e', script, ...args],
    ...(env === undefined ? {} : { env }),
    resources: { requests, limits: resources?.limits ?? {} },
    ...(securityContext === undefined ? {} : { securityContext }),
    volumeMounts: (container.volumeMounts ?? []).filter((mount) => ownMounts.includes(mount.name)),
  };
}

/** A program that no image has: the image is there when this cannot be started. */
function pullOf({ name, image, imagePullPolicy, securityContext }: V1Container): V1Container {
  return {
    name,
    ...(image === undefined ? {} : { image }),
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    command: ['/photondb-image-trial'],
    resources: { requests, limits: requests },
    ...(securityContext === undefined ? {} : { securityContext }),
  };
}

export interface TrialOf {
  readonly cluster: PhotonCluster;
  readonly node: string;
  readonly template: Template;
  /** To be tried. */
  readonly images: Images;
  /** The machine of the pod that serves. */
  readonly machine?: string | undefined;
}

export function imageTrial(
  { cluster, node, template, images, machine }: TrialOf,
  hash: Hash,
): TrialPod {
  const { spec } = template;
  const tried = containersOf(template).filter(({ image = '' }) => images.has(image));
  const volumes = (spec.volumes ?? []).filter(({ name }) => ownMounts.includes(name));
  const { serviceAccountName, securityContext, imagePullSecrets, tolerations } = spec;
  const podSpec: V1PodSpec = {
    ...(machine === undefined ? {} : { nodeName: machine }),
    restartPolicy: 'Never',
    ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 1,
    ...(securityContext === undefined ? {} : { securityContext }),
    ...(imagePullSecrets === undefined ? {} : { imagePullSecrets }),
    ...(tolerations === undefined ? {} : { tolerations }),
    ...(spec.priorityClassName === undefined ? {} : { priorityClassName: spec.priorityClassName }),
    containers: tried.map((each) => (each.name === nodeContainer ? startOf(each) : pullOf(each))),
    volumes: [...volumes, { name: 'data', emptyDir: {} }],
  };
  const metadata = ownedMetadata(cluster, trialName(node), trialLabel);
  const annotations = { [trialAnnotation]: hash(canonicalText(podSpec)) };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, annotations },
    spec: podSpec,
  };
}
