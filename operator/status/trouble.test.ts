import { expect } from 'chai';
import type { Trouble } from '../api/node-view.ts';
import type { Evidence, Pod, SeenEvent } from './observed.ts';
import { troubleOfPod, troubleWithoutPod } from './trouble.ts';

const nowMs = Date.parse('2026-01-01T01:00:00Z');
const elapsedMs = (since: string): number => nowMs - Date.parse(since);
const minuteMs = 60_000;

type Status = NonNullable<Pod['status']>;

interface Case {
  readonly status?: Status;
  readonly nodeName?: string;
  readonly unreadyMs?: number;
  readonly events?: readonly SeenEvent[];
  readonly claim?: Evidence['claim'];
}

function event(kind: string, reason: string, note: string, ageMs = 0): SeenEvent {
  return { kind, name: 'x', reason, note, isCurrent: true, ageMs };
}

function evidenceOf({ events = [], claim }: Case): Evidence {
  return { events, ...(claim === undefined ? {} : { claim }) };
}

function troubleOf(given: Case): Trouble | undefined {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'orders-main-0-0' },
    spec: {
      ...(given.nodeName === undefined ? {} : { nodeName: given.nodeName }),
      initContainers: [{ name: 'before', image: 'before:1' }],
      containers: [
        { name: 'photondb', image: 'photondb:9', resources: { limits: { memory: '64Mi' } } },
        { name: 'beside', image: 'beside:1' },
      ],
    },
    ...(given.status === undefined ? {} : { status: given.status }),
  };
  const { unreadyMs = 0 } = given;
  const facts = { pod, pool: 'main', mainName: 'photondb', unreadyMs, elapsedMs };
  return troubleOfPod(facts, evidenceOf(given));
}

function waiting(reason: string, message?: string, name = 'photondb'): Status {
  const state = { waiting: { reason, ...(message === undefined ? {} : { message }) } };
  return { containerStatuses: [{ name, state }] };
}

function unscheduled(message: string): Status {
  return { conditions: [{ type: 'PodScheduled', status: 'False', message }] };
}

const running: Status = {
  containerStatuses: [
    { name: 'photondb', state: { running: { startedAt: '2026-01-01T00:50:00Z' } } },
  ],
};

describe('the trouble of a pod', () => {
  const pending = { name: 'data-orders-main-0-0', phase: 'Pending' };
  const noRoom = '0/3 nodes are available: 3 Insufficient memory.';
  const told: readonly [
    about: string,
    given: Case,
    reason: string,
    words: readonly string[],
    isCertain: boolean,
  ][] = [
    [
      'no machine has room, in the words of the scheduler',
      { status: unscheduled(noRoom) },
      'Unschedulable',
      ['no machine takes the pod', noRoom],
      false,
    ],
    [
      'its StorageClass does not exist, rather than what the scheduler makes of it',
      {
        status: unscheduled('pod has unbound immediate PersistentVolumeClaims'),
        claim: pending,
        events: [
          event(
            'PersistentVolumeClaim',
            'ProvisioningFailed',
            'storageclass.storage.k8s.io "nope" not found',
          ),
        ],
      },
      'StorageUnavailable',
      ['volume claim data-orders-main-0-0', 'storageclass.storage.k8s.io "nope" not found'],
      true,
    ],
    [
      'there is no default StorageClass',
      {
        claim: pending,
        events: [
          event(
            'PersistentVolumeClaim',
            'FailedBinding',
            'no persistent volumes available for this claim and no storage class is set',
          ),
        ],
      },
      'StorageUnavailable',
      ['set storage.className'],
      true,
    ],
    [
      'a provisioner fails, which tries again',
      {
        claim: pending,
        events: [event('PersistentVolumeClaim', 'ProvisioningFailed', 'no space in the pool')],
      },
      'StorageUnavailable',
      ['no space in the pool'],
      false,
    ],
    [
      'its claim has lost its volume',
      { claim: { ...pending, phase: 'Lost' } },
      'StorageUnavailable',
      ['has lost its volume'],
      true,
    ],
    [
      'the image cannot be pulled for the first time',
      { status: waiting('ErrImagePull', 'rpc error: no such host'), nodeName: 'm1' },
      'ImageUnavailable',
      ['photondb:9', 'ErrImagePull', 'no such host', 'correct spec.image'],
      false,
    ],
    [
      'the image still cannot be pulled, by the error in the event',
      {
        status: waiting('ImagePullBackOff', 'Back-off pulling image "photondb:9"'),
        unreadyMs: minuteMs,
        nodeName: 'm1',
        events: [event('Pod', 'Failed', 'Failed to pull image "photondb:9": not found')],
      },
      'ImageUnavailable',
      ['Failed to pull image "photondb:9": not found'],
      true,
    ],
    [
      'the name of the image is invalid',
      { status: waiting('InvalidImageName', 'could not parse'), nodeName: 'm1' },
      'ImageUnavailable',
      ['has an invalid name'],
      true,
    ],
    [
      'the image of another container cannot be pulled',
      { status: waiting('ErrImageNeverPull', 'not present', 'beside'), nodeName: 'm1' },
      'ImageUnavailable',
      ['beside:1'],
      true,
    ],
    [
      'the database has run out of memory, with the limit and what to raise',
      {
        nodeName: 'm1',
        status: {
          containerStatuses: [
            {
              name: 'photondb',
              restartCount: 3,
              state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 40s' } },
              lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } },
            },
          ],
        },
      },
      'OutOfMemory',
      ['OOMKilled', 'a limit of 64Mi', '3 restarts', 'raise resources.limits.memory of pool main'],
      true,
    ],
    [
      'a container beside it has run out of memory',
      {
        nodeName: 'm1',
        status: {
          containerStatuses: [
            {
              name: 'beside',
              restartCount: 0,
              state: { terminated: { reason: 'OOMKilled', exitCode: 137 } },
            },
          ],
        },
      },
      'OutOfMemory',
      ['container beside', 'no limit of its own', 'in the template of the pool'],
      false,
    ],
    [
      'the process ends again and again, with its last words',
      {
        nodeName: 'm1',
        status: {
          containerStatuses: [
            {
              name: 'photondb',
              restartCount: 1,
              state: { waiting: { reason: 'CrashLoopBackOff' } },
              lastState: {
                terminated: {
                  reason: 'Error',
                  exitCode: 2,
                  message: 'a line\n{"level":"error","message":"bad option","error":"why"}\n',
                },
              },
            },
          ],
        },
      },
      'CrashLoop',
      ['exit code 2', '1 restart', 'bad option: why', 'kubectl logs orders-main-0-0'],
      true,
    ],
    [
      'the process has just been started for the fourth time',
      {
        nodeName: 'm1',
        status: {
          containerStatuses: [
            {
              name: 'photondb',
              restartCount: 3,
              state: { running: { startedAt: '2026-01-01T00:59:59Z' } },
              lastState: { terminated: { reason: 'Error', exitCode: 1 } },
            },
          ],
        },
      },
      'CrashLoop',
      ['exit code 1'],
      true,
    ],
    [
      'an init container fails',
      {
        nodeName: 'm1',
        status: {
          initContainerStatuses: [
            {
              name: 'before',
              restartCount: 2,
              state: { terminated: { reason: 'Error', exitCode: 7 } },
            },
          ],
          containerStatuses: [
            { name: 'photondb', state: { waiting: { reason: 'PodInitializing' } } },
          ],
        },
      },
      'CrashLoop',
      ['container before', 'exit code 7'],
      true,
    ],
    [
      'a container cannot be configured',
      {
        nodeName: 'm1',
        unreadyMs: minuteMs,
        status: waiting('CreateContainerConfigError', 'secret "x" not found'),
      },
      'ContainerFailed',
      ['CreateContainerConfigError', 'secret "x" not found'],
      true,
    ],
    [
      'the sandbox cannot be created',
      {
        nodeName: 'm1',
        status: waiting('ContainerCreating'),
        events: [event('Pod', 'FailedCreatePodSandBox', 'no runtime for "nope" is configured')],
      },
      'SandboxFailed',
      ['machine m1', 'FailedCreatePodSandBox', 'no runtime for "nope" is configured'],
      false,
    ],
    [
      'a volume cannot be mounted',
      { nodeName: 'm1', events: [event('Pod', 'FailedMount', 'secret "gone" not found')] },
      'StorageUnavailable',
      ['cannot mount a volume', 'secret "gone" not found'],
      false,
    ],
    [
      'the machine has evicted it',
      {
        nodeName: 'm1',
        status: {
          phase: 'Failed',
          reason: 'Evicted',
          message: 'The node was low on resource: memory.',
        },
      },
      'Evicted',
      ['low on resource: memory'],
      false,
    ],
    [
      'its predecessor was evicted a moment ago',
      {
        events: [
          {
            ...event('Pod', 'Evicted', 'The node had condition: [DiskPressure].', minuteMs),
            isCurrent: false,
          },
        ],
      },
      'Evicted',
      ['DiskPressure'],
      false,
    ],
    [
      'its machine is lost',
      {
        nodeName: 'm1',
        status: running,
        events: [event('Pod', 'NodeNotReady', 'Node is not ready', minuteMs)],
      },
      'NodesUnknown',
      ['machine m1 does not answer'],
      false,
    ],
    [
      'its process hangs',
      {
        nodeName: 'm1',
        status: running,
        events: [event('Pod', 'Unhealthy', 'Readiness probe failed: context deadline exceeded')],
      },
      'NodesUnhealthy',
      ['does not answer', 'context deadline exceeded'],
      false,
    ],
    [
      'a machine does not admit it',
      {
        nodeName: 'm1',
        status: { phase: 'Failed', reason: 'SysctlForbidden', message: 'forbidden sysctl' },
      },
      'PodRefused',
      ['SysctlForbidden', 'forbidden sysctl'],
      false,
    ],
  ];
  for (const [about, given, reason, words, isCertain] of told) {
    it(`is reported when ${about}`, () => {
      const trouble = troubleOf(given);
      expect(trouble).to.include({ reason, isCertain });
      for (const each of words) expect(trouble?.message).to.contain(each);
    });
  }

  const untroubled: readonly [about: string, given: Case][] = [
    ['has just been made', {}],
    ['is being created', { nodeName: 'm1', status: waiting('ContainerCreating') }],
    [
      'has run its init containers',
      {
        nodeName: 'm1',
        status: {
          initContainerStatuses: [{ name: 'before', state: { terminated: { exitCode: 0 } } }],
          containerStatuses: [{ name: 'photondb', state: { running: {} } }],
        },
      },
    ],
    [
      'runs for a while since its last failure',
      {
        nodeName: 'm1',
        status: {
          containerStatuses: [
            {
              name: 'photondb',
              restartCount: 1,
              state: { running: { startedAt: '2026-01-01T00:50:00Z' } },
              lastState: { terminated: { exitCode: 1 } },
            },
          ],
        },
      },
    ],
    [
      'was created at last, whatever the events tell of before',
      {
        nodeName: 'm1',
        status: {
          containerStatuses: [
            { name: 'photondb', state: { running: { startedAt: '2026-01-01T00:50:00Z' } } },
          ],
        },
        events: [event('Pod', 'FailedCreatePodSandBox', 'over')],
      },
    ],
    [
      'reports what it lacks',
      {
        nodeName: 'm1',
        status: running,
        events: [
          event(
            'Pod',
            'Unhealthy',
            'Readiness probe failed: HTTP probe failed with statuscode: 503',
          ),
          event('Pod', 'Unhealthy', 'Startup probe failed: connection refused'),
        ],
      },
    ],
    [
      'has only news that are too old',
      { nodeName: 'm1', events: [event('Pod', 'FailedMount', 'x', 60 * minuteMs)] },
    ],
    ['waits for a claim that is only young', { claim: pending }],
    [
      'has news about a former pod of its name alone',
      {
        nodeName: 'm1',
        events: [{ ...event('Pod', 'FailedMount', 'secret "gone" not found'), isCurrent: false }],
      },
    ],
  ];
  for (const [about, given] of untroubled) {
    it(`is none when it ${about}`, () => {
      expect(troubleOf(given)).to.equal(undefined);
    });
  }

  it('keeps beginning and end of words that are too long', () => {
    const message = `pull of ${'x'.repeat(5_000)}: no such host`;
    const trouble = troubleOf({ nodeName: 'm1', status: waiting('ErrImagePull', message) });
    expect(trouble?.message.length).to.be.lessThan(1_000);
    expect(trouble?.message).to.contain('pull of xxx').and.to.contain('no such host');
  });
});

describe('the trouble of a node without a pod', () => {
  it('is a quota of the namespace', () => {
    const note =
      'create Pod orders-main-0-0 in StatefulSet orders-main-0 failed error: pods "orders-main-0-0" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0';
    const trouble = troubleWithoutPod({ events: [event('StatefulSet', 'FailedCreate', note)] });
    expect(trouble).to.include({ reason: 'QuotaExceeded', isCertain: true });
    expect(trouble?.message).to.contain('exceeded quota: small').and.to.contain('raise');
  });

  it('is whatever else the API server says to its StatefulSet, the newest first', () => {
    const events = [
      event('StatefulSet', 'FailedCreate', 'exceeded quota: old', minuteMs),
      event('StatefulSet', 'FailedCreate', 'violates PodSecurity "restricted:latest"', 1_000),
    ];
    const trouble = troubleWithoutPod({ events });
    expect(trouble).to.include({ reason: 'PodRefused' });
    expect(trouble?.message).to.contain('violates PodSecurity');
  });

  it('is none when a pod was created since, and is gone again', () => {
    const events = [
      event('StatefulSet', 'FailedCreate', 'exceeded quota: old', minuteMs),
      event('StatefulSet', 'SuccessfulCreate', 'create Pod in StatefulSet successful', 1_000),
    ];
    expect(troubleWithoutPod({ events })).to.equal(undefined);
    const [failed, created] = events;
    const again = [{ ...failed, ageMs: 1_000 } as SeenEvent, created as SeenEvent];
    expect(troubleWithoutPod({ events: again }), 'a claim is created before').to.not.equal(
      undefined,
    );
  });

  it('is none without a report', () => {
    expect(troubleWithoutPod({ events: [] })).to.equal(undefined);
  });
});
