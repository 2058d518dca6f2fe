import type { Mutant, MutantSuite } from './mutants.ts';

/** Known and likely bugs of a membership protocol; unit tests and simulation must find each of them. */
const gossip = 'dataplane/gossip/gossip.ts';
const state = 'dataplane/gossip/versioned-state.ts';
const member = 'dataplane/gossip/member.ts';
const seal = 'dataplane/security/sealed-datagram.ts';

const gossipMutants: readonly Mutant[] = [
  {
    bug: 'a suspect does not refute',
    file: gossip,
    from: 'this.#queue.add(refutation);',
    to: '',
  },
  {
    bug: 'a refutation keeps the incarnation',
    file: gossip,
    from: 'this.#incarnation = incarnation + 1;',
    to: 'this.#incarnation = incarnation;',
  },
  {
    bug: 'incarnations are ignored',
    file: member,
    from: 'if (update.incarnation !== known.incarnation) return update.incarnation > known.incarnation;',
    to: '',
  },
  {
    bug: 'a dead member of the same incarnation lives again',
    file: member,
    from: 'return rank[update.status] > rank[known.status];',
    to: 'return rank[update.status] !== rank[known.status];',
  },
  {
    bug: 'a suspicion never ends',
    file: 'dataplane/gossip/suspicion.ts',
    from: 'return this.#elapsed >= this.timeoutTicks;',
    to: 'return this.#elapsed < 0;',
  },
  {
    bug: 'confirmations do not shorten a suspicion',
    file: 'dataplane/gossip/suspicion.ts',
    from: 'this.#accusers.add(accuser);\n    return true;',
    to: 'return true;',
  },
  {
    bug: 'one accuser counts as often as it speaks',
    file: 'dataplane/gossip/suspicion.ts',
    from: 'this.#accusers.has(accuser) ||',
    to: '',
  },
  {
    bug: 'a silent member is suspected before others were asked',
    file: gossip,
    from: 'if (this.#probe?.isTimedOut === true) this.#probeIndirectly(this.#probe);',
    to: '',
  },
  {
    bug: 'an answer through others is not passed on',
    file: gossip,
    from: "this.#reply(relay.requester, { type: 'ack', sequence: relay.sequence });",
    to: '',
  },
  {
    bug: 'nobody says that the target is silent for them, too',
    file: gossip,
    from: "this.#reply(relay.requester, { type: 'nack', sequence: relay.sequence });",
    to: '',
  },
  {
    bug: 'a node that others probe does not watch anybody',
    file: gossip,
    from: '!this.#hasSkipped && this.#credits > 0',
    to: 'this.#credits > 0',
  },
  {
    bug: 'received probes replace none',
    file: gossip,
    from: 'this.#credits = Math.min(creditsMax, this.#credits + 1);',
    to: '',
  },
  {
    bug: 'a member whose connection is lost is not probed next',
    file: gossip,
    from: 'this.#doubted.add(id);',
    to: '',
  },
  {
    bug: 'all members probe one that is doubted',
    file: gossip,
    from: 'this.options.random.below(Math.max(1, length)) < doubtersWanted',
    to: 'length > 0',
  },
  {
    bug: 'a node that is slow itself blames the others',
    file: 'dataplane/gossip/awareness.ts',
    from: 'return ticks * (this.#score + 1);',
    to: 'return ticks;',
  },
  {
    bug: 'a suspect is not told that it is one',
    file: gossip,
    from: 'updates.unshift(accusation);',
    to: '',
  },
  {
    bug: 'updates are disseminated indefinitely',
    file: 'dataplane/gossip/broadcast-queue.ts',
    from: 'if (queued.sent >= sendsMax) this.#remove(queued);',
    to: '',
  },
  {
    bug: 'an accusation takes the place of one by another member',
    file: 'dataplane/gossip/broadcast-queue.ts',
    from: 'one.accuser !== other.accuser;',
    to: 'one.accuser === other.accuser;',
  },
  {
    bug: 'news are not passed on',
    file: gossip,
    from: 'if (!this.#members.apply(update)) return undefined;\n    this.#queue.add(update);',
    to: 'if (!this.#members.apply(update)) return undefined;',
  },
  {
    bug: 'dead members are never forgotten',
    file: 'dataplane/gossip/member-table.ts',
    from: 'this.#known.delete(id);\n      this.#gone.delete(id);',
    to: 'this.#gone.delete(id);',
  },
  {
    bug: 'members that are gone are learned again from who forgets them later',
    file: 'dataplane/gossip/member-table.ts',
    from: 'return (this.#gone.get(id) ?? 0) < this.#tombstoneTicks / 2;',
    to: 'return true;',
  },
  {
    bug: 'a summary that differs is taken for equal',
    file: gossip,
    from: 'if (member === undefined || (members === own.members && states === own.states)) return;',
    to: 'if (member === undefined || own.members >= 0) return;',
  },
  {
    bug: 'a change of a state does not show in its summary',
    file: state,
    from: 'if (state !== undefined) this.#toggle(id, state);',
    to: '',
  },
  {
    bug: 'a signature does not cover the payload',
    file: seal,
    from: '    .update(payload)\n',
    to: '',
  },
  {
    bug: 'a signature does not cover the receiver',
    file: seal,
    from: '    .update(receiver)\n',
    to: '',
  },
  {
    bug: 'all senders encrypt with one key',
    file: seal,
    from: "hkdfSync('sha256', key, sender,",
    to: "hkdfSync('sha256', key, '',",
  },
  {
    bug: 'the replay window is off',
    file: seal,
    from: "return window.take(number) ? { sender, payload } : { refused: 'replay' };",
    to: 'return { sender, payload };',
  },
  {
    bug: 'a gossip key is removed before all members have the new one',
    file: 'dataplane/membership/ring-rotation.ts',
    from: 'if (missing.length > 0) {',
    to: 'if (missing.length < 0) {',
  },
  {
    bug: 'the table of members has no bound',
    file: 'dataplane/gossip/member-table.ts',
    from: 'if (known === undefined && this.#known.size >= this.#max) return false;',
    to: '',
  },
  {
    bug: 'nobody looks for the other side of a healed partition',
    file: gossip,
    from: 'if (away.length > 0) this.#sync(this.options.random.pick(away));',
    to: '',
  },
  {
    bug: 'a node that was cut off declares the others dead',
    file: gossip,
    from: 'return suspicion === undefined || !suspicion.isEstablished;',
    to: 'return false;',
  },
  {
    bug: 'who leaves is taken for dead',
    file: gossip,
    from: "const update = this.#self('left');",
    to: "const update = this.#self('suspect');",
  },
  {
    bug: 'anti-entropy accepts older versions',
    file: state,
    from: 'if (same !== undefined && version <= same.version) return undefined;',
    to: '',
  },
  {
    bug: 'anti-entropy accepts an older generation',
    file: state,
    from: 'if (id === this.#own || generation < generationOf(known)) return undefined;',
    to: 'if (id === this.#own) return undefined;',
  },
  {
    bug: 'others write what a node says of itself',
    file: state,
    from: 'if (id === this.#own || generation < generationOf(known)) return undefined;',
    to: 'if (generation < generationOf(known)) return undefined;',
  },
  {
    bug: 'keys of an older generation stay',
    file: state,
    from: 'merged(same?.entries ?? noEntries, delta)',
    to: 'merged(known?.entries ?? noEntries, delta)',
  },
  {
    bug: 'a delta with a gap is taken for complete',
    file: state,
    from: 'if (from > (same?.version ?? 0)) return undefined;',
    to: '',
  },
  {
    bug: 'state is taken without the signature of its owner',
    file: state,
    from: "if (verdict !== 'valid') return reasons[verdict];",
    to: '',
  },
  {
    bug: 'the signature of state leaves the values out',
    file: 'dataplane/gossip/state-signer.ts',
    from: 'text(writer, entry.value);',
    to: '',
  },
];

export const gossipSuite: MutantSuite = {
  mutants: gossipMutants,
  sources: ['common', 'config', 'gossip', 'membership', 'net', 'node', 'raft', 'security', 'wire'],
  testSources: ['simulation'],
  testFiles: [
    'dataplane/gossip/gossip.test.ts',
    'dataplane/gossip/versioned-state.test.ts',
    'dataplane/security/sealed-datagram.test.ts',
    'dataplane/membership/ring-rotation.test.ts',
    'test/simulation/gossip.test.ts',
  ],
};
