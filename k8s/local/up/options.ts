import { parseArgs } from 'node:util';
import { nodesMax } from '../cluster/layout.ts';

/** What the user asked `up` for. A mistake is a sentence, answered with exit code 2. */
export type UpOptions =
  | { readonly mode: 'help' }
  | { readonly mode: 'mistake'; readonly message: string }
  /** A Kubernetes of our own; `nodes` is undefined when the user did not say. */
  | { readonly mode: 'local'; readonly nodes: number | undefined }
  /** A cluster that the user has. */
  | { readonly mode: 'context'; readonly context: string; readonly image: string };

export const upUsage = `npm run up                              a real Kubernetes on this machine, the operator, and a cluster with real data
npm run up -- --kube-nodes 3            the same with several Kubernetes nodes
npm run up -- --context NAME --image REPOSITORY:TAG
                                        into a cluster that you have, in a namespace of its own; it has to be
                                        able to pull the image (build it with the Dockerfile and push it)`;

const mistake = (message: string): UpOptions => ({ mode: 'mistake', message });

export function parseUpOptions(args: readonly string[]): UpOptions {
  let values: { help?: boolean; 'kube-nodes'?: string; context?: string; image?: string };
  try {
    values = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean' },
        'kube-nodes': { type: 'string' },
        context: { type: 'string' },
        image: { type: 'string' },
      },
    }).values;
  } catch (error) {
    return mistake(error instanceof Error ? (error.message.split('. ')[0] ?? '') : '');
  }
  if (values.help === true) return { mode: 'help' };
  if (values.context !== undefined) return contextOptions(values.context, values);
  if (values.image !== undefined) {
    return mistake('--image goes with --context: a local cluster runs the image that up builds');
  }
  return localOptions(values['kube-nodes']);
}

function contextOptions(
  context: string,
  { image, 'kube-nodes': nodes }: { image?: string; 'kube-nodes'?: string },
): UpOptions {
  if (nodes !== undefined) {
    return mistake('--kube-nodes and --context exclude each other: your cluster has its nodes');
  }
  if (image === undefined || image === '') {
    return mistake(
      '--context needs --image REPOSITORY:TAG, an image that your cluster can pull (docker build, docker push)',
    );
  }
  return { mode: 'context', context, image };
}

function localOptions(nodes: string | undefined): UpOptions {
  if (nodes === undefined) return { mode: 'local', nodes: undefined };
  const number = Number(nodes);
  if (!/^\d+$/.test(nodes) || number < 1 || number > nodesMax) {
    return mistake(`--kube-nodes takes a number from 1 to ${nodesMax}, not "${nodes}"`);
  }
  return { mode: 'local', nodes: number };
}

/** `repository:tag` or `repository@digest`, as the charts and the manifest want them. */
export interface ImageReference {
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}

export function parseImage(text: string): ImageReference {
  const [name = '', digest] = text.split('@');
  // A colon before the last slash belongs to a registry's port.
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  const repository = colon === -1 ? name : name.slice(0, colon);
  if (digest !== undefined) return { repository, digest };
  return { repository, tag: colon === -1 ? 'latest' : name.slice(colon + 1) };
}
