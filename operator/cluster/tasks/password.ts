/**
 * No cluster serves without a password. The Secret is made when it is missing and never changed; one
 * that the user names is only read. Nodes follow the mounted Secret, so another password needs no
 * other pod.
 */
import { reasons } from '../../api/conditions.ts';
import { keyOf } from '../../controller/object.ts';
import { isKubeError } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/object.ts';
import { resources } from '../../kube/object.ts';
import { adminSecret, passwordFault, passwordSecretName } from '../../resources/admin-secret.ts';
import { passwordVersionAnnotation } from '../../resources/labels.ts';
import { wantedNodes } from '../../resources/layout.ts';
import type { Context } from '../task.ts';
import type { TaskResult } from '../task-result.ts';
import { eventOf } from '../task.ts';
import { complete } from '../task-result.ts';

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Replacing a password is a warning: users of the former one are locked out. */
function announce(context: Context, name: string): void {
  const isReplaced = context.cluster.status?.passwordSecret === name;
  const news = isReplaced
    ? ({
        type: 'Warning',
        reason: 'PasswordReplaced',
        note: `Secret ${name} is gone: made it again with another password of the user admin; running nodes take it up within two minutes, without a restart, and refuse the former one`,
      } as const)
    : ({
        type: 'Normal',
        reason: 'PasswordMade',
        note: `made Secret ${name} with the password of the user admin`,
      } as const);
  context.tools.emit(eventOf(context, { ...news, action: 'CreateSecret' }));
}

async function make(context: Context): Promise<Secret | undefined> {
  const { cluster, tools, signal } = context;
  const manifest = adminSecret(cluster, tools.newPassword());
  try {
    const secret = await tools.client.create<Secret>(resources.secrets, manifest, { signal });
    announce(context, manifest.metadata.name);
    return secret;
  } catch (error) {
    // Made meanwhile, or by a request whose answer was lost: it counts as it is.
    if (!isKubeError(error, 'kube.already_exists')) throw error;
    return tools.client.find<Secret>(resources.secrets, manifest.metadata, { signal });
  }
}

export async function providePassword(context: Context): Promise<TaskResult> {
  const { cluster, key, tools, signal } = context;
  const name = passwordSecretName(cluster);
  const at = { namespace: cluster.metadata.namespace ?? '', name };
  const isOurs = cluster.spec.security?.passwordSecret === undefined;
  const found = await tools.client.find<Secret>(resources.secrets, at, { signal });
  const secret = found ?? (isOurs ? await make(context) : undefined);
  const version = secret?.metadata.resourceVersion;
  tools.poller.observed(key, { ...at, version });
  if (secret === undefined || version === undefined) {
    const message = `Secret ${name} is not there: make it with the key password`;
    return { type: 'fail', reason: reasons.missing, message };
  }
  const fault = passwordFault(secret.data?.['password']);
  if (fault !== undefined) {
    const message = `Secret ${name} ${fault}: write a password of the user admin under the key password; nodes that run keep the former one`;
    return { type: 'fail', reason: reasons.missing, message };
  }
  context.password = { secret: name, version };
  return complete;
}

/**
 * A kubelet refreshes the Secrets of a running pod about once a minute, and at once when the pod has
 * changed: the annotation makes it look.
 */
export async function announcePassword({
  cluster,
  tools,
  password,
  signal,
}: Context): Promise<TaskResult> {
  if (password === undefined) return complete;
  const namespace = cluster.metadata.namespace ?? '';
  for (const { name } of wantedNodes(cluster)) {
    const pod = tools.informers.pods.get(keyOf({ namespace, name }));
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    if (pod.metadata.annotations?.[passwordVersionAnnotation] === password.version) continue;
    const annotations = { [passwordVersionAnnotation]: password.version };
    const patch = { metadata: { uid: pod.metadata.uid, annotations } };
    try {
      await tools.client.mergePatch(resources.pods, pod.metadata, patch, { signal });
    } catch (error) {
      // The pod has gone meanwhile; its successor mounts the Secret as it is.
      if (!isKubeError(error, 'kube.not_found', 'kube.conflict')) throw error;
    }
  }
  return complete;
}
