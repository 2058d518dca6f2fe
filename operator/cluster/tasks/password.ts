/**
 * No cluster serves without a password. The Secret is made once and then left alone; one that
 * the user names is only read.
 */
import { reasons } from '../../api/conditions.ts';
import { isKubeError } from '../../kube/errors.ts';
import type { KubeObject } from '../../kube/object.ts';
import { resources } from '../../kube/object.ts';
import { adminSecret, passwordSecretName } from '../../resources/admin-secret.ts';
import type { Context, TaskResult } from '../task.ts';
import { complete, eventOf } from '../task.ts';

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** Four hexadecimal digits: enough to see a change, too few to guess a password by. */
const markLength = 4;

async function make(context: Context): Promise<Secret | undefined> {
  const { cluster, tools, signal } = context;
  const manifest = adminSecret(cluster, tools.newPassword());
  try {
    const secret = await tools.client.create<Secret>(resources.secrets, manifest, { signal });
    const note = `made Secret ${manifest.metadata.name} with the password of the user admin`;
    tools.emit(
      eventOf(context, { type: 'Normal', reason: 'PasswordMade', action: 'CreateSecret', note }),
    );
    return secret;
  } catch (error) {
    // Made meanwhile, or by a request whose answer was lost: it counts as it is.
    if (!isKubeError(error, 'kube.already_exists')) throw error;
    return tools.client.find<Secret>(resources.secrets, manifest.metadata, { signal });
  }
}

export async function providePassword(context: Context): Promise<TaskResult> {
  const { cluster, tools, signal } = context;
  const name = passwordSecretName(cluster);
  const at = { namespace: cluster.metadata.namespace ?? '', name };
  const isOurs = cluster.spec.security?.passwordSecret === undefined;
  const found = await tools.client.find<Secret>(resources.secrets, at, { signal });
  const secret = found ?? (isOurs ? await make(context) : undefined);
  const password = secret?.data?.['password'];
  if (secret === undefined || password === undefined || password === '') {
    const lack = secret === undefined ? 'is not there' : 'has no key password';
    const message = `Secret ${name} ${lack}: make it with the key password`;
    return { type: 'fail', reason: reasons.missing, message };
  }
  const mark = tools.hash(`${name}\n${password}`).slice(0, markLength);
  context.password = { secret: name, mark };
  return complete;
}
