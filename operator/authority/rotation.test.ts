import { expect } from 'chai';
import * as fc from 'fast-check';
import type { RotationNode, RotationState } from './rotation.ts';
import { decideRotation, phaseOf } from './rotation.ts';

const node = (name: string, trusts: readonly string[], certificateOf?: string): RotationNode => ({
  name,
  trusts,
  ...(certificateOf === undefined ? {} : { certificateOf }),
});

describe('the replacement of an authority', () => {
  it('begins with a request that was not carried out yet, and with no other', () => {
    const state = { signing: 'A', former: [], rotation: '1' };
    expect(decideRotation(state, '2', [])).to.deep.equal({ type: 'begin', rotation: '2' });
    for (const wish of [undefined, '', '1', 'x'.repeat(65)]) {
      expect(decideRotation(state, wish, [])).to.deep.equal({ type: 'settled' });
    }
    expect(phaseOf(state)).to.equal('Stable');
  });

  it('lets the next one sign when every node with a certificate trusts it', () => {
    const state = { signing: 'A', next: 'B', former: [] };
    expect(phaseOf(state)).to.equal('Distributing');
    const [new0, old0] = [node('n0', ['A', 'B'], 'A'), node('n1', ['A'], 'A')];
    const waiting = decideRotation(state, 'x', [new0, old0, node('n2', [])]);
    expect(waiting).to.have.property('message').that.contains('not yet: n1');
    expect(decideRotation(state, 'x', [new0, node('n2', [])])).to.deep.equal({ type: 'switch' });
  });

  it('trusts the former one until every certificate is of the new one', () => {
    const state = { signing: 'B', former: ['A'] };
    expect(phaseOf(state)).to.equal('Renewing');
    const nodes = Array.from({ length: 7 }, (_, at) => node(`n${at}`, ['A', 'B'], 'A'));
    const waiting = decideRotation(state, 'x', nodes);
    expect(waiting).to.have.property('message').that.contains('n4 and 2 more');
    expect(decideRotation(state, 'x', [node('n0', ['A', 'B'], 'B')])).to.deep.equal({
      type: 'retire',
    });
  });

  /** Nodes take up trust and certificates in any order and at any time, and report late. */
  interface Simulated {
    trusts: readonly string[];
    certificateOf: string;
    reported: RotationNode;
  }

  function step(state: RotationState, wish: string, nodes: readonly Simulated[]): RotationState {
    const reports = nodes.map(({ reported }) => reported);
    const decision = decideRotation(state, wish, reports);
    switch (decision.type) {
      case 'begin':
        return { ...state, next: `authority-${wish}`, rotation: decision.rotation };
      case 'switch': {
        const { next, ...rest } = state;
        return { ...rest, signing: next ?? '', former: [state.signing] };
      }
      case 'retire':
        return { ...state, former: [] };
      case 'settled':
      case 'wait':
        return state;
    }
  }

  const bundleOf = ({ signing, next, former }: RotationState): readonly string[] => [
    signing,
    ...(next === undefined ? [] : [next]),
    ...former,
  ];

  it('never leaves two nodes that do not trust each other, whichever node is late', () => {
    const moves = fc.array(
      fc.record({ node: fc.nat({ max: 3 }), what: fc.constantFrom('trust', 'renew', 'report') }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(moves, (all) => {
        let state: RotationState = { signing: 'first', former: [] };
        const nodes = Array.from({ length: 4 }, (_, at): Simulated => ({
          trusts: ['first'],
          certificateOf: 'first',
          reported: node(`n${at}`, ['first'], 'first'),
        }));
        let wish = 0;
        for (const { node: at, what } of all) {
          const one = nodes[at];
          if (one === undefined) continue;
          if (what === 'trust') one.trusts = bundleOf(state);
          // A node asks for another certificate when it trusts the one that signs.
          if (what === 'renew' && one.trusts.includes(state.signing)) {
            one.certificateOf = state.signing;
          }
          if (what === 'report') one.reported = node(`n${at}`, one.trusts, one.certificateOf);
          if (phaseOf(state) === 'Stable') wish += 1;
          state = step(state, String(wish), nodes);
          for (const a of nodes) {
            for (const b of nodes) expect(a.trusts).to.include(b.certificateOf);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('comes to its end when every node follows', () => {
    let state: RotationState = { signing: 'first', former: [] };
    const nodes: Simulated[] = [
      { trusts: ['first'], certificateOf: 'first', reported: node('n', ['first'], 'first') },
    ];
    for (let round = 0; round < 4; round += 1) {
      state = step(state, '1', nodes);
      for (const one of nodes) {
        one.trusts = bundleOf(state);
        one.certificateOf = state.signing;
        one.reported = node('n', one.trusts, one.certificateOf);
      }
    }
    expect(state).to.deep.equal({ signing: 'authority-1', former: [], rotation: '1' });
  });
});
