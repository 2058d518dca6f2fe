import { expect } from 'chai';
import type { Trial } from './image-trial.ts';
import { trialVerdict } from './image-trial.ts';

type Status = NonNullable<NonNullable<Trial['status']>['containerStatuses']>[number];

function trialOf(statuses: readonly Status[], status: Trial['status'] = {}): Trial {
  return {
    metadata: { name: 'orders-main-0-0-trial' },
    spec: {
      containers: [
        { name: 'photondb', image: 'photondb:0.2.0' },
        { name: 'shipper', image: 'shipper:2' },
      ],
    },
    status: { ...status, containerStatuses: statuses },
  };
}

const pulled: Status = { name: 'shipper', imageID: 'sha256:0' };
const ended = (exitCode: number, message?: string): Status => ({
  name: 'photondb',
  imageID: 'sha256:1',
  state: { terminated: { exitCode, ...(message === undefined ? {} : { message }) } },
});
const waiting = (name: string, reason: string, message = ''): Status => ({
  name,
  state: { waiting: { reason, message } },
});

describe('the trial of new images', () => {
  const cases: readonly (readonly [about: string, trial: Trial, type: string, words: string])[] = [
    [
      'passes when all are there and the database starts',
      trialOf([ended(0, '0.2.0'), pulled]),
      'passed',
      '',
    ],
    [
      'passes for an image whose program does not exist',
      trialOf([
        ended(0, '0.2.0\n'),
        { name: 'shipper', state: { terminated: { reason: 'StartError', exitCode: 128 } } },
      ]),
      'passed',
      '',
    ],
    ['has not begun before the kubelet says so', trialOf([]), 'running', 'is being tried'],
    [
      'goes on while an image is pulled',
      trialOf([waiting('photondb', 'ContainerCreating'), pulled]),
      'running',
      'image photondb:0.2.0 is being tried',
    ],
    [
      'goes on while the other image is pulled',
      trialOf([ended(0, '0.2.0'), waiting('shipper', 'ContainerCreating')]),
      'running',
      'pulling image shipper:2',
    ],
    [
      'tells an image that cannot be pulled, in the words of Kubernetes',
      trialOf([waiting('photondb', 'ErrImagePull', 'no such host'), pulled]),
      'unavailable',
      'image photondb:0.2.0 cannot be pulled: ErrImagePull: no such host',
    ],
    [
      'tells another image that cannot be pulled',
      trialOf([ended(0, '0.2.0'), waiting('shipper', 'ImagePullBackOff')]),
      'unavailable',
      'image shipper:2 cannot be pulled',
    ],
    [
      'tells an image that does not start, in its own words',
      trialOf([ended(1, 'unknown option'), pulled]),
      'unfit',
      'does not start: exit code 1: unknown option',
    ],
    ['tells an image without a version', trialOf([ended(0), pulled]), 'unfit', 'is PhotonDB  and'],
    [
      'tells an image of another version',
      trialOf([ended(0, '0.1.0'), pulled]),
      'unfit',
      'is PhotonDB 0.1.0 and spec.version is 0.2.0',
    ],
    [
      'tells a machine that does not take it',
      { ...trialOf([]), status: { phase: 'Failed', reason: 'OutOfpods', message: 'too many' } },
      'rejected',
      'OutOfpods: too many',
    ],
  ];
  for (const [about, trial, type, words] of cases) {
    it(about, () => {
      const verdict = trialVerdict(trial, { database: 'photondb', version: '0.2.0' });
      expect(verdict.type).to.equal(type);
      if (verdict.type !== 'passed') expect(verdict.message).to.contain(words);
    });
  }
});
