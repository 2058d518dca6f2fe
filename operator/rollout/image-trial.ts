/** The outcome of an image trial, from its pod. Pure. */
import type { Metadata } from '../api/object.ts';

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly terminated?: {
    readonly reason?: string;
    readonly message?: string;
    readonly exitCode?: number;
  };
}

/** A pod, as far as it is read here. */
export interface Trial {
  readonly metadata: Metadata;
  readonly spec?: {
    readonly containers?: readonly { readonly name: string; readonly image?: string }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly imageID?: string;
      readonly state?: ContainerState;
    }[];
  };
}

export type TrialVerdict =
  | { readonly type: 'passed' }
  | { readonly type: 'running'; readonly message: string }
  /** The kubelet retries the pull. */
  | { readonly type: 'unavailable'; readonly message: string }
  /** It does not start, or is not what the manifest says. */
  | { readonly type: 'unfit'; readonly message: string }
  /** The machine did not take the pod: nothing is known of the images. */
  | { readonly type: 'rejected'; readonly message: string };

const pullReasons: readonly string[] = [
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
];

/** Longer messages of Kubernetes are truncated. */
const wordsMax = 400;

function wordsOf(...words: readonly (string | undefined)[]): string {
  return words
    .filter((each) => each !== undefined && each !== '')
    .join(': ')
    .slice(0, wordsMax);
}

interface Tried {
  readonly image: string;
  readonly isDatabase: boolean;
  readonly version: string;
  readonly state: ContainerState;
  readonly isPulled: boolean;
}

function verdictOf({ image, isDatabase, version, state, isPulled }: Tried): TrialVerdict {
  const { waiting, terminated } = state;
  if (waiting?.reason !== undefined && pullReasons.includes(waiting.reason)) {
    const words = wordsOf(waiting.reason, waiting.message);
    return { type: 'unavailable', message: `image ${image} cannot be pulled: ${words}` };
  }
  if (!isDatabase) {
    // Its command does not exist: to be refused is the end of its trial.
    const isPast = terminated !== undefined || isPulled;
    return isPast ? { type: 'passed' } : { type: 'running', message: `pulling image ${image}` };
  }
  if (terminated !== undefined) return startVerdict(image, version, terminated);
  const words = wordsOf(waiting?.reason, waiting?.message);
  const detail = words === '' || words === 'ContainerCreating' ? '' : ` (${words})`;
  return { type: 'running', message: `image ${image} is being tried${detail}` };
}

/** The outcome of starting the database: its termination message, or the version that it reported. */
function startVerdict(
  image: string,
  version: string,
  { exitCode, reason, message = '' }: NonNullable<ContainerState['terminated']>,
): TrialVerdict {
  if (exitCode !== 0) {
    const words = wordsOf(reason, exitCode === undefined ? '' : `exit code ${exitCode}`, message);
    return { type: 'unfit', message: `image ${image} does not start: ${words}` };
  }
  const found = message.trim();
  if (found === version) return { type: 'passed' };
  return {
    type: 'unfit',
    message: `image ${image} is PhotonDB ${found} and spec.version is ${version}: write the version of the image, or the image of the version`,
  };
}

/** `database` names the container that has to start, `version` what it has to be. */
export function trialVerdict(
  { spec, status }: Trial,
  { database, version }: { readonly database: string; readonly version: string },
): TrialVerdict {
  const statuses = status?.containerStatuses ?? [];
  if (status?.phase === 'Failed' && statuses.length === 0) {
    const words = wordsOf(status.reason, status.message);
    return { type: 'rejected', message: `the machine does not take the trial: ${words}` };
  }
  const verdicts = (spec?.containers ?? []).map(({ name, image = '' }) => {
    const { state = {}, imageID = '' } = statuses.find((each) => each.name === name) ?? {};
    const isDatabase = name === database;
    return verdictOf({ image, isDatabase, version, state, isPulled: imageID !== '' });
  });
  const order = ['unavailable', 'unfit', 'running'] as const;
  for (const type of order) {
    const found = verdicts.find((verdict) => verdict.type === type);
    if (found !== undefined) return found;
  }
  return { type: 'passed' };
}
