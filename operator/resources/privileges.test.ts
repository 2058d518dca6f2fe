import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { clusterWith, poolWith } from '../api/testing/clusters.ts';
import { zonesOf } from './layout.ts';
import type { Pool } from './manifest.ts';
import { overlayComplaints } from './overlay.ts';
import { podTemplate } from './pod-template.ts';
import type { Privilege } from './privileges.ts';
import { privilegeComplaints, privileges } from './privileges.ts';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);
const facts = { configMapName: 'c', passwordSecret: 's', passwordMark: 'm' };

type Template = NonNullable<Pool['template']>;

function complaintsOf(template: Template, ...allowed: readonly Privilege[]): readonly string[] {
  const pool = poolWith({ template });
  const cluster = clusterWith({ pools: [pool] });
  const [zone] = zonesOf(cluster, pool);
  if (zone === undefined) throw new Error('a pool has a zone');
  const made = podTemplate({ cluster, pool, zone }, facts, hash).template;
  return privilegeComplaints('main', made, new Set(allowed));
}

const sidecar = (change: object): Template => ({
  spec: { containers: [{ name: 'shipper', image: 'x', ...change }] },
});
const secured = (securityContext: object): Template => sidecar({ securityContext });
const database = (change: object): Template => ({
  spec: { containers: [{ name: 'photondb', ...change }] },
});
const volume = (change: object): Template => ({ spec: { volumes: [{ name: 'x', ...change }] } });
const pod = (securityContext: object): Template => ({ spec: { securityContext } });

const refused: readonly (readonly [about: string, template: Template, privilege: Privilege])[] = [
  ['a path of the machine', volume({ hostPath: { path: '/' } }), 'hostPath'],
  ['a network file system', volume({ nfs: { server: 'a', path: '/' } }), 'volumeTypes'],
  ['a disk by its number', volume({ awsElasticBlockStore: { volumeID: 'v' } }), 'volumeTypes'],
  ['the network of the machine', { spec: { hostNetwork: true } }, 'hostNamespaces'],
  ['the processes of the machine', { spec: { hostPID: true } }, 'hostNamespaces'],
  ['the memory of the machine', { spec: { hostIPC: true } }, 'hostNamespaces'],
  ['a port of the machine', sidecar({ ports: [{ containerPort: 1, hostPort: 1 }] }), 'hostPorts'],
  [
    'an address of the machine',
    sidecar({ ports: [{ containerPort: 1, hostIP: 'a' }] }),
    'hostPorts',
  ],
  [
    'a probe of another host',
    sidecar({ livenessProbe: { tcpSocket: { port: 1, host: 'a' } } }),
    'hostPorts',
  ],
  [
    'a hook that calls another host',
    sidecar({ lifecycle: { preStop: { httpGet: { port: 1, host: 'a' } } } }),
    'hostPorts',
  ],
  ['a privileged container', secured({ privileged: true }), 'privileged'],
  ['more privileges later', secured({ allowPrivilegeEscalation: true }), 'privileged'],
  [
    'a process of a Windows machine',
    secured({ windowsOptions: { hostProcess: true } }),
    'privileged',
  ],
  [
    'more privileges later, for the database',
    database({ securityContext: { allowPrivilegeEscalation: true } }),
    'privileged',
  ],
  ['a capability', secured({ capabilities: { add: ['SYS_ADMIN'] } }), 'capabilities'],
  [
    'the capabilities of the database back',
    database({ securityContext: { capabilities: { drop: [] } } }),
    'capabilities',
  ],
  ['root', secured({ runAsUser: 0 }), 'rootUser'],
  ['root for all', pod({ runAsUser: 0 }), 'rootUser'],
  ['an image that may be root', secured({ runAsNonRoot: false }), 'rootUser'],
  ['images that may be root', pod({ runAsNonRoot: false }), 'rootUser'],
  ['all system calls', secured({ seccompProfile: { type: 'Unconfined' } }), 'securityProfiles'],
  ['all system calls for all', pod({ seccompProfile: { type: 'Unconfined' } }), 'securityProfiles'],
  ['no AppArmor', secured({ appArmorProfile: { type: 'Unconfined' } }), 'securityProfiles'],
  [
    'no AppArmor, as it was written before',
    {
      metadata: {
        annotations: { 'container.apparmor.security.beta.kubernetes.io/photondb': 'unconfined' },
      },
    },
    'securityProfiles',
  ],
  ['a type of SELinux', secured({ seLinuxOptions: { type: 'spc_t' } }), 'securityProfiles'],
  ['a user of SELinux', pod({ seLinuxOptions: { user: 'a' } }), 'securityProfiles'],
  ['the /proc of the machine', secured({ procMount: 'Unmasked' }), 'securityProfiles'],
  ['a kernel parameter', pod({ sysctls: [{ name: 'kernel.msgmax', value: '1' }] }), 'sysctls'],
  [
    'a token of its account',
    volume({ projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }),
    'tokens',
  ],
  [
    'a certificate of its account',
    volume({ projected: { sources: [{ podCertificate: { keyType: 'ED25519' } }] } }),
    'tokens',
  ],
  [
    'root in an init container',
    { spec: { initContainers: [{ name: 'x', image: 'x', securityContext: { runAsUser: 0 } }] } },
    'rootUser',
  ],
];

describe('what an overlay gives to pods', () => {
  for (const [about, template, privilege] of refused) {
    it(`is refused when it is ${about}, unless the chart allows ${privilege}`, () => {
      const [complaint = '', ...others] = complaintsOf(template);
      expect(others).to.deep.equal([]);
      expect(complaint).to.contain('pools[main].template.spec.').and.to.contain(privilege);
      expect(overlayComplaints(poolWith({ template }))).to.deep.equal([]);
      expect(complaintsOf(template, privilege)).to.deep.equal([]);
      const rest = privileges.filter((each) => each !== privilege);
      expect(complaintsOf(template, ...rest)).to.have.lengthOf(1);
    });
  }

  const harmless: readonly (readonly [about: string, template: Template])[] = [
    ['nothing', {}],
    ['a container beside', sidecar({})],
    ['volumes of the restricted standard', volume({ emptyDir: {} })],
    ['a claim', volume({ persistentVolumeClaim: { claimName: 'x' } })],
    ['a port', sidecar({ ports: [{ containerPort: 1 }] })],
    [
      'the one capability that is harmless',
      secured({ capabilities: { add: ['NET_BIND_SERVICE'] } }),
    ],
    [
      'a profile of the machine',
      pod({ seccompProfile: { type: 'Localhost', localhostProfile: 'a' } }),
    ],
    [
      'a safe kernel parameter',
      pod({ sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] }),
    ],
    ['another user', pod({ runAsUser: 1234, fsGroup: 1234 })],
    ["namespaces that are not the machine's", { spec: { hostNetwork: false, hostUsers: false } }],
  ];
  for (const [about, template] of harmless) {
    it(`is taken when it is ${about}`, () => {
      expect(complaintsOf(template)).to.deep.equal([]);
    });
  }

  it('is named the same by the chart', () => {
    const path = ['..', '..', 'helm', 'photondb-operator', 'values.schema.json'];
    const schema = JSON.parse(readFileSync(join(import.meta.dirname, ...path), 'utf8')) as {
      properties: { podTemplates: { properties: { allow: { items: { enum: string[] } } } } };
    };
    const named = schema.properties.podTemplates.properties.allow.items.enum;
    expect(named).to.deep.equal(privileges);
  });
});
