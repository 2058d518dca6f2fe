/**
 * What an overlay may not give to pods, unless the operator's chart allows it: whoever may write a
 * PhotonCluster would get it through the operator. It is the `restricted` pod security standard, with
 * tokens of the API server beside it, read off the template with the overlay on it. Pure.
 */
import { nodeContainer } from './overlay.ts';

type Json = Readonly<Record<string, unknown>>;

/** Each is a word of the chart's podTemplates.allow. */
export const privileges = Object.freeze([
  'hostPath',
  'volumeTypes',
  'hostNamespaces',
  'hostPorts',
  'privileged',
  'capabilities',
  'rootUser',
  'securityProfiles',
  'sysctls',
  'tokens',
] as const);

export type Privilege = (typeof privileges)[number];

interface Finding {
  readonly privilege: Privilege;
  /** The field, and what it would do. */
  readonly words: string;
}

const volumeTypes: readonly string[] = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

const safeSysctls: readonly string[] = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
];

const seLinuxTypes: readonly unknown[] = [
  undefined,
  '',
  'container_t',
  'container_init_t',
  'container_kvm_t',
  'container_engine_t',
];

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (each, key) => (isObject(each) && Object.hasOwn(each, key) ? each[key] : undefined),
    value,
  );
}

function objectsIn(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function* namespaceFindings(spec: Json): Generator<Finding> {
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC']) {
    if (spec[field] === undefined || spec[field] === false) continue;
    yield { privilege: 'hostNamespaces', words: `${field} puts the pod into the machine's own` };
  }
}

/** Of a pod and of a container alike. */
function* contextFindings(context: unknown, path: string): Generator<Finding> {
  const here = `${path}securityContext`;
  if (at(context, 'runAsUser') === 0) {
    yield { privilege: 'rootUser', words: `${here}.runAsUser 0 is root` };
  }
  if (at(context, 'runAsNonRoot') === false) {
    yield { privilege: 'rootUser', words: `${here}.runAsNonRoot false lets root in` };
  }
  for (const profile of ['seccompProfile', 'appArmorProfile']) {
    if (at(context, profile, 'type') !== 'Unconfined') continue;
    yield { privilege: 'securityProfiles', words: `${here}.${profile} Unconfined takes it away` };
  }
  const seLinux = at(context, 'seLinuxOptions');
  const isPlain = !['user', 'role'].some((field) => (at(seLinux, field) ?? '') !== '');
  if (!isPlain || !seLinuxTypes.includes(at(seLinux, 'type'))) {
    yield { privilege: 'securityProfiles', words: `${here}.seLinuxOptions leaves the container's` };
  }
  if (at(context, 'windowsOptions', 'hostProcess') === true) {
    yield { privilege: 'privileged', words: `${here}.windowsOptions.hostProcess is the machine` };
  }
}

function* podContextFindings(context: unknown): Generator<Finding> {
  yield* contextFindings(context, '');
  if (at(context, 'runAsNonRoot') === undefined) {
    yield { privilege: 'rootUser', words: 'securityContext without runAsNonRoot lets root in' };
  }
  if (at(context, 'seccompProfile', 'type') === undefined) {
    yield { privilege: 'securityProfiles', words: 'securityContext has lost its seccompProfile' };
  }
  for (const { name } of objectsIn(at(context, 'sysctls'))) {
    if (safeSysctls.includes(String(name))) continue;
    yield {
      privilege: 'sysctls',
      words: `securityContext.sysctls ${String(name)} is not a safe one`,
    };
  }
}

function* volumeFindings(volume: Json): Generator<Finding> {
  const name = String(volume['name']);
  for (const type of Object.keys(volume)) {
    if (type === 'name' || volumeTypes.includes(type)) continue;
    const privilege = type === 'hostPath' ? 'hostPath' : 'volumeTypes';
    yield { privilege, words: `volumes ${name} is of the type ${type}` };
  }
  // The token of the node itself is bound to the pod, and mounted for the database alone.
  if (name === 'identity') return;
  for (const source of objectsIn(at(volume, 'projected', 'sources'))) {
    for (const type of ['serviceAccountToken', 'podCertificate']) {
      if (!Object.hasOwn(source, type)) continue;
      yield { privilege: 'tokens', words: `volumes ${name} projects a ${type}` };
    }
  }
}

const probes = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;

function* hostFindings(container: Json, path: string): Generator<Finding> {
  for (const { hostPort = 0, hostIP = '' } of objectsIn(container['ports'])) {
    if (hostPort === 0 && hostIP === '') continue;
    yield { privilege: 'hostPorts', words: `${path}ports has a port of the machine` };
  }
  const handlers = [
    ...probes.map((probe) => [probe, container[probe]] as const),
    ...['postStart', 'preStop'].map((hook) => [hook, at(container, 'lifecycle', hook)] as const),
  ];
  for (const [field, handler] of handlers) {
    const hosts = [at(handler, 'httpGet', 'host'), at(handler, 'tcpSocket', 'host')];
    if (hosts.every((host) => host === undefined || host === '')) continue;
    yield { privilege: 'hostPorts', words: `${path}${field} names another host` };
  }
}

function* containerFindings(container: Json, path: string): Generator<Finding> {
  const context = container['securityContext'];
  yield* contextFindings(context, path);
  yield* hostFindings(container, path);
  const here = `${path}securityContext`;
  const isDatabase = container['name'] === nodeContainer;
  const escalation = at(context, 'allowPrivilegeEscalation');
  if (at(context, 'privileged') === true) {
    yield { privilege: 'privileged', words: `${here}.privileged is root on the machine` };
  }
  if (escalation === true || (isDatabase && escalation !== false)) {
    yield { privilege: 'privileged', words: `${here} lets the container gain privileges` };
  }
  const procMount = at(context, 'procMount');
  if (procMount !== undefined && procMount !== 'Default') {
    yield { privilege: 'securityProfiles', words: `${here}.procMount shows the machine's /proc` };
  }
  const [added, dropped] = ['add', 'drop'].map((field) => at(context, 'capabilities', field));
  const extra = (Array.isArray(added) ? added : []).filter((each) => each !== 'NET_BIND_SERVICE');
  if (extra.length > 0) {
    yield { privilege: 'capabilities', words: `${here}.capabilities adds ${extra.join(', ')}` };
  }
  if (isDatabase && !(Array.isArray(dropped) && dropped.includes('ALL'))) {
    yield { privilege: 'capabilities', words: `${here}.capabilities does not drop ALL` };
  }
}

const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';

function* findingsIn(metadata: unknown, spec: Json): Generator<Finding> {
  yield* namespaceFindings(spec);
  yield* podContextFindings(spec['securityContext']);
  for (const volume of objectsIn(spec['volumes'])) yield* volumeFindings(volume);
  for (const list of ['initContainers', 'containers']) {
    for (const container of objectsIn(spec[list])) {
      yield* containerFindings(container, `${list}[${String(container['name'])}].`);
    }
  }
  const annotations = at(metadata, 'annotations');
  for (const [key, value] of Object.entries(isObject(annotations) ? annotations : {})) {
    if (!key.startsWith(appArmorPrefix) || value !== 'unconfined') continue;
    yield { privilege: 'securityProfiles', words: `the annotation ${key} takes AppArmor away` };
  }
}

/** Sentences about what the template gives beyond what is allowed; empty when it may be used. */
export function privilegeComplaints(
  pool: string,
  template: { readonly metadata: unknown; readonly spec: object },
  allowed: ReadonlySet<Privilege>,
): readonly string[] {
  const findings = [...findingsIn(template.metadata, template.spec as Json)];
  return findings
    .filter(({ privilege }) => !allowed.has(privilege))
    .map(
      ({ privilege, words }) =>
        `pools[${pool}].template.spec.${words}: leave it out; only ${privilege} in podTemplates.allow of the operator's chart lets it in`,
    );
}
