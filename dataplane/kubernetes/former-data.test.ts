import { expect } from 'chai';
import { formerId, leaveToBegin } from './former-data.ts';
import type { PhotonNode } from './own-node.ts';

describe('the identity that a node has had', () => {
  const cases: readonly (readonly [about: string, node: PhotonNode, id: string | undefined])[] = [
    ['none, for a new node', { spec: { roles: ['data'] } }, undefined],
    ['as the operator has recorded it', { spec: { id: 'a' }, status: { id: 'b' } }, 'a'],
    ['as the node itself has reported it', { spec: {}, status: { id: 'a' } }, 'a'],
    ['none, when its loss was accepted', { spec: { id: 'a', acceptedLosses: ['a'] } }, undefined],
    [
      'none, when the loss of what it has reported was accepted',
      { spec: { acceptedLosses: ['x', 'a'] }, status: { id: 'a' } },
      undefined,
    ],
    [
      'the later one, when only the loss of an earlier one was accepted',
      { spec: { acceptedLosses: ['a'] }, status: { id: 'b' } },
      'b',
    ],
  ];
  for (const [about, node, id] of cases) {
    it(`is ${about}`, () => {
      expect(formerId(node)).to.equal(id);
    });
  }
});

describe('leave to begin on an empty directory', () => {
  const stopping = new AbortController();

  async function asked(
    answers: readonly (PhotonNode | Error)[],
    signal = stopping.signal,
  ): Promise<readonly (readonly [string, string | undefined])[]> {
    const said: (readonly [string, string | undefined])[] = [];
    let next = 0;
    await leaveToBegin({
      read: async () => {
        const answer = answers[next];
        next += 1;
        if (answer === undefined || answer instanceof Error) throw answer ?? new Error('the end');
        return answer;
      },
      waiting: (message, id) => void said.push([message, id]),
      pause: async () => undefined,
      signal,
    });
    expect(next).to.equal(answers.length);
    return said;
  }

  it('is given at once to a new node', async () => {
    expect(await asked([{ spec: {} }])).to.deep.equal([]);
  });

  it('is not given to a node that had data, before its loss is accepted', async () => {
    const lost = { spec: { id: 'a' } };
    const said = await asked([lost, lost, { spec: { id: 'a', acceptedLosses: ['a'] } }]);
    expect(said.map(([, id]) => id)).to.deep.equal(['a', 'a']);
    expect(said[0]?.[0]).to.contain('photondb.io/accept-data-loss=a');
  });

  it('is not given while the API server does not answer', async () => {
    const said = await asked([new Error('no route'), { spec: {} }]);
    expect(said).to.have.lengthOf(1);
    expect(said[0]?.[0]).to.contain('no route');
    expect(said[0]?.[1]).to.equal(undefined);
  });

  it('ends when the node stops', async () => {
    const stopped = AbortSignal.abort(new Error('the node is stopping'));
    const refusal = await asked([{ spec: {} }], stopped).catch((error: unknown) => error);
    expect(refusal).to.have.property('message', 'the node is stopping');
  });
});
