import { expect } from 'chai';
import { Prng } from '../common/prng.ts';
import {
  eventsOf,
  gossipNode,
  GossipNodes,
  messagesOf,
  news,
  statusOf,
  tick,
  update,
} from './testing/nodes.ts';

const ids = ['a', 'b', 'c', 'd', 'e'];

describe('membership (SWIM)', () => {
  it('is known to everybody who joins through one node', () => {
    const nodes = new GossipNodes(ids);
    nodes.tick(30);
    for (const node of nodes.all.values()) {
      expect(node.members.map(({ id, status }) => `${id} ${status}`).sort()).to.deep.equal(
        ids.map((id) => `${id} alive`),
      );
    }
  });

  it('suspects a silent member, then declares it dead, everywhere', () => {
    const nodes = new GossipNodes(ids);
    nodes.tick(30);
    nodes.silent.add('e');
    nodes.tick(300);
    for (const id of ['a', 'b', 'c', 'd']) expect(statusOf(nodes.of(id), 'e')).to.equal('dead');
  });

  it('asks others before it suspects: a member that only they reach stays alive', () => {
    const node = gossipNode('a');
    node.step(news('b', 'a', update('b', 'alive'), update('c', 'alive'), update('d', 'alive')));
    node.ready();
    for (let period = 0; period < 20; period += 1) {
      tick(node, 10);
      for (const message of messagesOf(node)) {
        if (message.type !== 'pingRequest') continue;
        const { from: to, to: from, sequence } = message;
        node.step({ type: 'ack', from, to, sequence, updates: [] });
      }
    }
    expect(['b', 'c', 'd'].map((id) => statusOf(node, id))).to.deep.equal([
      'alive',
      'alive',
      'alive',
    ]);
  });

  it('lets a suspect refute with a higher incarnation, and the refutation wins', () => {
    const suspect = gossipNode('b');
    suspect.step(news('a', 'b', update('a', 'alive'), update('b', 'suspect', 1, 'a')));
    const refutation = suspect.members.find(({ id }) => id === 'b');
    expect(refutation).to.include({ status: 'alive', incarnation: 2 });
    const other = gossipNode('c');
    other.step(news('a', 'c', update('b', 'suspect', 1, 'a')));
    other.step(news('b', 'c', update('b', 'alive', 2)));
    other.step(news('a', 'c', update('b', 'dead', 1, 'a')));
    expect(statusOf(other, 'b')).to.equal('alive');
  });

  it('sends the refutation with its next message', () => {
    const suspect = gossipNode('b');
    suspect.step(news('a', 'b', update('a', 'alive')));
    suspect.ready();
    suspect.step(news('a', 'b', update('b', 'suspect', 1, 'a')));
    tick(suspect, 2);
    const [message] = messagesOf(suspect);
    expect(message?.updates.find(({ id }) => id === 'b')).to.include({
      status: 'alive',
      incarnation: 2,
    });
  });

  it('probes for others, and answers them with their own sequence number', () => {
    const node = gossipNode('a');
    node.step(news('b', 'a', update('b', 'alive'), update('c', 'alive'), update('d', 'alive')));
    node.ready();
    const ask = (sequence: number, target: string): void =>
      node.step({ type: 'pingRequest', from: 'b', to: 'a', sequence, target, updates: [] });
    ask(70, 'c');
    const [ping] = messagesOf(node);
    expect(ping).to.include({ type: 'ping', to: 'c' });
    const sequence = ping?.type === 'ping' ? ping.sequence : 0;
    node.step({ type: 'ack', from: 'c', to: 'a', sequence, updates: [] });
    expect(messagesOf(node)[0]).to.include({ type: 'ack', to: 'b', sequence: 70 });
    ask(71, 'd');
    node.ready();
    tick(node, 3);
    const nacks = messagesOf(node).filter(({ type }) => type === 'nack');
    expect(nacks[0]).to.include({ to: 'b', sequence: 71 });
    ask(72, 'nobody');
    expect(messagesOf(node)).to.deep.equal([]);
  });

  it('passes an accusation on once for each accuser', () => {
    const node = gossipNode('a', { probePeriodTicks: 1_000, suspicionFactor: 100 });
    const others = ['b', 'c', 'd', 'e', 'f'].map((id) => update(id, 'alive'));
    node.step(news('b', 'a', ...others, update('f', 'suspect', 1, 'b')));
    tick(node, 40);
    node.ready();
    node.step(news('b', 'a', update('f', 'suspect', 1, 'b')));
    tick(node, 10);
    expect(messagesOf(node)).to.deep.equal([]);
    node.step(news('c', 'a', update('f', 'suspect', 1, 'c')));
    tick(node, 10);
    expect(messagesOf(node).length).to.be.greaterThan(0);
  });

  it('passes each accusation on, also when those of several accusers come together', () => {
    const node = gossipNode('a', { probePeriodTicks: 1_000, suspicionFactor: 100 });
    const others = ['b', 'c', 'd', 'e', 'f'].map((id) => update(id, 'alive'));
    node.step(news('b', 'a', ...others));
    tick(node, 40);
    node.ready();
    for (const accuser of ['b', 'c', 'd']) {
      node.step(news(accuser, 'a', update('f', 'suspect', 1, accuser)));
    }
    tick(node, 10);
    const told = messagesOf(node).flatMap(({ updates }) => updates);
    const accusers = told.flatMap(({ status, accuser }) => (status === 'suspect' ? accuser : []));
    expect([...new Set(accusers)]).to.have.members(['b', 'c', 'd']);
    // What comes next of the member takes the place of all of them.
    node.step(news('f', 'a', update('f', 'alive', 2)));
    tick(node, 2);
    const after = messagesOf(node).flatMap(({ updates }) => updates);
    expect(after.filter(({ id }) => id === 'f').every(({ status }) => status === 'alive')).to.equal(
      true,
    );
  });

  it('does not believe an old incarnation, nor that a dead member of the same one lives', () => {
    const node = gossipNode('a');
    node.step(news('b', 'a', update('c', 'dead', 3, 'b')));
    node.step(news('b', 'a', update('c', 'alive', 3)));
    node.step(news('b', 'a', update('c', 'suspect', 2, 'b')));
    expect(statusOf(node, 'c')).to.equal('dead');
    node.step(news('c', 'a', update('c', 'alive', 4)));
    expect(statusOf(node, 'c')).to.equal('alive');
  });

  it('says each change once', () => {
    const node = gossipNode('a');
    node.ready();
    const told = news('b', 'a', update('c', 'suspect', 1, 'b'));
    node.step(told);
    node.step(told);
    tick(node, 10);
    node.step(news('d', 'a', update('c', 'dead', 1, 'd')));
    expect(eventsOf(node)).to.deep.equal(['c suspect', 'c dead']);
  });

  it('passes news on a bounded number of times', () => {
    const node = gossipNode('a');
    node.step(news('b', 'a', update('b', 'alive'), update('c', 'alive')));
    tick(node, 200);
    const sent = messagesOf(node).flatMap(({ updates }) => updates);
    const ofC = sent.filter(({ id, status }) => id === 'c' && status === 'alive').length;
    expect(ofC).to.be.within(1, 2);
  });

  it('knows at once who leaves, and does not call it dead', () => {
    const nodes = new GossipNodes(ids);
    nodes.tick(30);
    nodes.of('e').leave();
    nodes.deliver();
    nodes.silent.add('e');
    nodes.tick(100);
    for (const id of ['a', 'b', 'c', 'd']) expect(statusOf(nodes.of(id), 'e')).to.equal('left');
  });

  it('forgets who is gone after a time, and takes no more members than it may', () => {
    const node = gossipNode('a', { tombstoneTicks: 5, membersMax: 3 });
    node.step(news('b', 'a', update('b', 'alive'), update('c', 'dead'), update('d', 'alive')));
    expect(statusOf(node, 'd')).to.equal(undefined);
    tick(node, 6);
    expect(statusOf(node, 'c')).to.equal(undefined);
    node.step(news('b', 'a', update('d', 'alive')));
    expect(statusOf(node, 'd')).to.equal('alive');
  });

  it('takes a death for an accusation when there was no suspicion before: its sender may be cut off', () => {
    const node = gossipNode('a');
    node.step(news('b', 'a', update('c', 'alive')));
    node.step(news('b', 'a', update('c', 'dead', 1, 'b')));
    node.step(news('d', 'a', update('c', 'dead', 1, 'd')));
    expect(statusOf(node, 'c')).to.equal('suspect');
    node.step(news('c', 'a', update('c', 'alive', 2)));
    expect(statusOf(node, 'c')).to.equal('alive');
    node.step(news('d', 'a', update('c', 'suspect', 2, 'd')));
    tick(node, 9);
    node.step(news('b', 'a', update('c', 'dead', 2, 'b')));
    expect(statusOf(node, 'c')).to.equal('suspect');
    tick(node, 1);
    node.step(news('b', 'a', update('c', 'dead', 2, 'b')));
    expect(statusOf(node, 'c')).to.equal('dead');
  });

  it('believes the death of a member that it has not met', () => {
    const node = gossipNode('a');
    node.step(news('b', 'a', update('c', 'dead', 1, 'b')));
    expect(statusOf(node, 'c')).to.equal('dead');
  });

  for (const away of [['a'], ['a', 'b']]) {
    it(`declares nobody dead when a partition heals: ${away.join(' and ')} on one side`, () => {
      const nodes = new GossipNodes(ids, { syncTicks: 20 });
      nodes.tick(30);
      for (const id of away) nodes.otherSide.add(id);
      nodes.tick(400);
      const across = (id: string, by: string): boolean => away.includes(id) !== away.includes(by);
      const deaths = ids.flatMap((id) =>
        ids.filter((by) => across(id, by)).map((by) => `${id} by ${by}`),
      );
      expect(nodes.deaths.toSorted()).to.deep.equal(deaths);
      nodes.otherSide.clear();
      nodes.tick(200);
      expect(nodes.deaths.toSorted()).to.deep.equal(deaths);
      for (const node of nodes.all.values()) {
        expect(node.members.every(({ status }) => status === 'alive')).to.equal(true);
      }
    });
  }

  it('is forgotten by all when it is gone: nobody learns it again from who forgets it later', () => {
    const nodes = new GossipNodes(ids, { syncTicks: 3, tombstoneTicks: 100 });
    // Who forgets the member forgets what it said, too: the summaries differ for a moment.
    nodes.of('e').state.set('color', 'blue');
    nodes.tick(30);
    nodes.silent.add('e');
    nodes.tick(100);
    const knowing = (): string[] =>
      ['a', 'b', 'c', 'd'].filter((id) => statusOf(nodes.of(id), 'e'));
    expect(knowing()).to.deep.equal(['a', 'b', 'c', 'd']);
    nodes.tick(250);
    expect(knowing()).to.deep.equal([]);
  });

  it('is compared by a summary in a datagram, and exchanged when it differs', () => {
    const nodes = new GossipNodes(ids, { syncTicks: 10 });
    nodes.tick(60);
    nodes.sent.clear();
    nodes.tick(100);
    expect(nodes.sent.get('summary')).to.be.within(40, 60);
    expect(nodes.sent.get('syncRequest')).to.equal(undefined);
    nodes.of('a').state.set('color', 'blue');
    nodes.tick(60);
    expect(nodes.sent.get('syncRequest')).to.be.within(1, 20);
    for (const node of nodes.all.values()) expect(node.state.get('a', 'color')).to.equal('blue');
    nodes.sent.clear();
    nodes.tick(100);
    expect(nodes.sent.get('syncRequest')).to.equal(undefined);
  });

  it('a probe that was received replaces an own one, and never two in a row', () => {
    const periodsWith = (received: number): number => {
      const node = gossipNode('a');
      node.step(news('b', 'a', update('b', 'alive'), update('c', 'alive'), update('d', 'alive')));
      let sent = 0;
      for (let period = 0; period < 20; period += 1) {
        for (let at = 0; at < received; at += 1) {
          node.step({ type: 'ping', from: 'b', to: 'a', sequence: at, updates: [] });
        }
        tick(node, 10);
        for (const message of messagesOf(node)) {
          if (message.type !== 'ping') continue;
          sent += 1;
          const { from: to, to: from, sequence } = message;
          node.step({ type: 'ack', from, to, sequence, updates: [] });
        }
      }
      return sent;
    };
    expect(periodsWith(0)).to.equal(20);
    // A member that probes all others all the time does not keep them from watching each other.
    for (const received of [1, 50]) expect(periodsWith(received)).to.equal(10);
  });

  it('probes next what speaks against a member: a lost connection, or the word of another', () => {
    const node = gossipNode('a');
    const known = ['b', 'c', 'd', 'e', 'f'].map((id) => update(id, 'alive'));
    node.step(news('b', 'a', ...known));
    const nextProbed = (): string | undefined => {
      // Received probes replace no probe of a member that is doubted.
      node.step({ type: 'ping', from: 'b', to: 'a', sequence: 1, updates: [] });
      node.ready();
      tick(node, 10);
      const message = messagesOf(node).find(({ type }) => type === 'ping');
      if (message?.type !== 'ping') return undefined;
      const { from: to, to: from, sequence } = message;
      node.step({ type: 'ack', from, to, sequence, updates: [] });
      return from;
    };
    for (const id of ['f', 'c', 'f', 'd']) {
      node.doubt(id);
      expect(nextProbed()).to.equal(id);
    }
    node.step(news('b', 'a', update('e', 'suspect', 1, 'b')));
    expect(nextProbed()).to.equal('e');
    node.doubt('nobody');
    node.doubt('a');
    expect([undefined, 'b', 'c', 'd', 'e', 'f']).to.include(nextProbed());
  });

  it('doubts of many nodes lead to a few probes', () => {
    const names = Array.from({ length: 100 }, (_, at) => `n${at}`);
    const known = names.map((id) => ({
      id,
      address: id,
      incarnation: 1,
      status: 'alive' as const,
    }));
    let probes = 0;
    for (const [at, id] of names.entries()) {
      if (at === 0) continue;
      const node = gossipNode(id, { known, membersMax: 200, random: new Prng(at) });
      node.doubt('n0');
      tick(node, 10);
      const pings = messagesOf(node).filter(({ type }) => type === 'ping');
      probes += pings.filter(({ to }) => to === 'n0').length;
    }
    expect(probes).to.be.within(2, 20);
  });

  it('finds the other side again when a partition is healed', () => {
    const nodes = new GossipNodes(ids, { syncTicks: 20 });
    nodes.tick(30);
    for (const id of ['a', 'b']) nodes.silent.add(id);
    nodes.tick(400);
    nodes.silent.clear();
    nodes.tick(200);
    for (const node of nodes.all.values()) {
      expect(node.members.every(({ status }) => status === 'alive')).to.equal(true);
    }
  });
});

describe('local health and suspicion (Lifeguard)', () => {
  const others = ['b', 'c', 'd'].map((id) => update(id, 'alive'));

  it('a node that hears nobody suspects itself: its time-outs grow', () => {
    const node = gossipNode('a');
    node.step(news('b', 'a', ...others));
    tick(node, 60);
    expect(node.localHealth).to.be.greaterThan(2);
    expect(node.probes).to.include({ direct: 0, indirect: 0 });
    expect(node.probes.failed).to.be.greaterThan(1);
  });

  it('a node that suspects itself takes longer for each probe', () => {
    const node = gossipNode('a', { suspicionFactor: 1_000 });
    node.step(news('b', 'a', ...others));
    tick(node, 60);
    const before = node.probes.failed;
    // Twenty periods of a node that is well.
    tick(node, 200);
    expect(node.probes.failed - before).to.be.within(1, 5);
  });

  it('refusals by those who were asked show that it is the target', () => {
    const node = gossipNode('a');
    node.step(news('b', 'a', ...others));
    node.ready();
    for (let period = 0; period < 3; period += 1) {
      for (let at = 0; at < 10; at += 1) {
        tick(node);
        for (const message of messagesOf(node)) {
          if (message.type !== 'pingRequest') continue;
          const { from: to, to: from, sequence } = message;
          node.step({ type: 'nack', from, to, sequence, updates: [] });
        }
      }
    }
    expect(node.localHealth).to.equal(0);
  });

  it('a suspicion ends sooner when others confirm it', () => {
    const ticksUntilDead = (accusers: readonly string[]): number => {
      const node = gossipNode('a', { probePeriodTicks: 100, probeTimeoutTicks: 10 });
      node.step(news('b', 'a', ...others, update('e', 'alive'), update('f', 'alive')));
      for (const accuser of accusers) {
        node.step(news(accuser, 'a', update('f', 'suspect', 1, accuser)));
      }
      for (let ticks = 1; ticks < 2_000; ticks += 1) {
        tick(node);
        // Everybody answers this node, so that it accuses nobody itself.
        for (const message of messagesOf(node)) {
          if (message.type !== 'ping') continue;
          const { from: to, to: from, sequence } = message;
          node.step({ type: 'ack', from, to, sequence, updates: [] });
        }
        if (statusOf(node, 'f') === 'dead') return ticks;
      }
      return Number.POSITIVE_INFINITY;
    };
    const alone = ticksUntilDead(['b']);
    const confirmed = ticksUntilDead(['b', 'c', 'd']);
    expect(ticksUntilDead(['b', 'b', 'b'])).to.equal(alone);
    expect(confirmed).to.be.lessThan(ticksUntilDead(['b', 'c']));
    expect(alone).to.equal(3 * confirmed);
  });

  it('whoever speaks to a suspect tells it so', () => {
    const node = gossipNode('a');
    node.step(news('b', 'a', ...others, update('c', 'suspect', 1, 'b')));
    tick(node, 300);
    const toSuspect = messagesOf(node).filter(({ to, type }) => to === 'c' && type === 'ping');
    expect(toSuspect.length).to.be.greaterThan(0);
    for (const { updates } of toSuspect) {
      expect(updates.some(({ id, status }) => id === 'c' && status !== 'alive')).to.equal(true);
    }
  });
});
