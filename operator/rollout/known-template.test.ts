import { expect } from 'chai';
import type { TemplateRevision } from './known-template.ts';
import { knownAnnotations } from './known-template.ts';

const annotation = 'photondb.io/revision';

function revisionOf(owner: string, revision: number, template: string): TemplateRevision {
  const reference = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'a-main-0', uid: owner };
  return {
    metadata: { name: `a-main-0-${revision}`, ownerReferences: [reference] },
    revision,
    data: { spec: { template: { metadata: { annotations: { [annotation]: template } } } } },
  };
}

describe('the template that the controller of a StatefulSet knows', () => {
  const cases: readonly (readonly [
    about: string,
    revisions: readonly TemplateRevision[],
    known: string | undefined,
  ])[] = [
    ['is unknown without a revision', [], undefined],
    ['is that of its only revision', [revisionOf('new', 1, 'a')], 'a'],
    [
      'is the newest, whatever their order',
      [revisionOf('new', 2, 'b'), revisionOf('new', 1, 'a')],
      'b',
    ],
    [
      'is an older one that was taken up again',
      [revisionOf('new', 2, 'b'), revisionOf('new', 3, 'a')],
      'a',
    ],
    ['is not that of a predecessor of the same name', [revisionOf('old', 7, 'a')], undefined],
    [
      'is its own where a predecessor left others',
      [revisionOf('old', 7, 'b'), revisionOf('new', 1, 'a')],
      'a',
    ],
  ];
  for (const [about, revisions, known] of cases) {
    it(about, () => {
      expect(knownAnnotations(revisions, 'new')?.[annotation]).to.equal(known);
    });
  }
});
