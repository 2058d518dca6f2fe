import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { clusterWith, poolWith } from '../api/testing/clusters.ts';
import type { TrialPod } from './image-trial.ts';
import { imageTrial, trialAnnotation, untriedImages } from './image-trial.ts';
import { nodeSelector } from './labels.ts';
import { zonesOf } from './layout.ts';
import type { PodTemplate } from './pod-template.ts';
import { podTemplate } from './pod-template.ts';

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);
const facts = { configMapName: 'c', passwordSecret: 's', passwordMark: 'm' };

const pool = poolWith({
  resources: { limits: { memory: '1Gi' } },
  template: {
    spec: { containers: [{ name: 'shipper', image: 'shipper:1', imagePullPolicy: 'Always' }] },
  },
});
const cluster = clusterWith({ pools: [pool] });

function template(): PodTemplate['template'] {
  const [zone] = zonesOf(cluster, pool);
  if (zone === undefined) throw new Error('a pool has a zone');
  return podTemplate({ cluster, pool, zone }, facts, hash).template;
}

describe('images to be tried', () => {
  it('are those that the pod does not run, and those that are always pulled', () => {
    const images = untriedImages(template(), new Set(['photondb:0.0.9', 'shipper:1']));
    expect([...images]).to.deep.equal(['photondb:0.1.0', 'shipper:1']);
  });

  it('are none when nothing is new', () => {
    const { containers } = template().spec;
    const spec = { containers: containers.filter(({ name }) => name === 'photondb') };
    const images = untriedImages({ spec }, new Set(['photondb:0.1.0']));
    expect([...images]).to.deep.equal([]);
  });
});

describe('the pod that tries images', () => {
  const images = new Set(['photondb:0.1.0', 'shipper:1']);
  const trial = (machine?: string): TrialPod =>
    imageTrial({ cluster, node: 'orders-main-0-0', template: template(), images, machine }, hash);
  const { metadata, spec } = trial('worker-1');
  const [database, shipper] = spec.containers;

  it("is the cluster's own, and no node of it: neither a Service nor a budget selects it", () => {
    expect(metadata.ownerReferences?.[0]?.uid).to.equal('uid-of-orders');
    expect(metadata.labels).to.not.include(nodeSelector('orders'));
  });

  it('runs on the machine of the pod that serves, once, and reads no token', () => {
    expect(spec).to.include({
      nodeName: 'worker-1',
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
    });
    expect(spec.volumes?.flatMap(({ projected }) => projected ?? [])).to.deep.equal([]);
  });

  it('starts the database as it is going to be, on an empty directory', () => {
    expect(database?.args?.slice(2)).to.deep.equal([
      'dataplane/node/main.ts',
      '--config',
      '/etc/photondb/config.yaml',
    ]);
    expect(database?.resources?.limits).to.deep.equal({ memory: '1Gi' });
    expect(spec.volumes?.find(({ name }) => name === 'data')).to.have.property('emptyDir');
    expect(spec.volumes?.find(({ name }) => name === 'config')?.configMap?.name).to.equal('c');
  });

  it('only pulls other images', () => {
    expect(shipper?.command).to.deep.equal(['/photondb-image-trial']);
    expect(shipper).to.not.have.property('volumeMounts');
  });

  it('is another one on another machine', () => {
    const mark = (pod: TrialPod): string | undefined => pod.metadata.annotations?.[trialAnnotation];
    expect(mark(trial('worker-1'))).to.equal(metadata.annotations?.[trialAnnotation]);
    expect(mark(trial('worker-2'))).to.not.equal(metadata.annotations?.[trialAnnotation]);
  });
});
