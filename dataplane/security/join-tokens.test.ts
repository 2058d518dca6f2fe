import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { JoinTokens, joinTokenLimits } from './join-tokens.ts';

const { lifetimeMs, tokensMax, failuresMax } = joinTokenLimits;

const any = ['data'];
const refused = /is wrong, used or expired/;

describe('join tokens', () => {
  it('admit one node, once', () => {
    const tokens = new JoinTokens(randomBytes);
    const token = tokens.create(0);
    expect(token).to.match(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
    expect(tokens.redeem(token, any, 1)).to.equal(token.slice(0, 6));
    expect(() => tokens.redeem(token, any, 2)).to.throw(refused);
  });

  it('expire after ten minutes', () => {
    const tokens = new JoinTokens(randomBytes);
    const [early, late] = [tokens.create(0), tokens.create(1)];
    expect(tokens.redeem(late, any, lifetimeMs)).to.equal(late.slice(0, 6));
    expect(() => tokens.redeem(early, any, lifetimeMs)).to.throw(refused);
  });

  it('that are no tokens are refused like wrong ones', () => {
    const tokens = new JoinTokens(randomBytes);
    const token = tokens.create(0);
    for (const wrong of ['', token.slice(0, -1), `${token}a`, token.toUpperCase(), `${token}\n`]) {
      expect(() => tokens.redeem(wrong, any, 1), wrong).to.throw(refused);
    }
    expect(tokens.redeem(token, any, 1)).to.equal(token.slice(0, 6));
  });

  it('are withdrawn when somebody guesses', () => {
    const tokens = new JoinTokens(randomBytes);
    const token = tokens.create(0);
    const id = token.slice(0, 6);
    for (let tries = 0; tries < failuresMax; tries += 1) {
      expect(() => tokens.redeem(`${id}.${'a'.repeat(16)}`, any, 1)).to.throw(refused);
    }
    expect(() => tokens.redeem(token, any, 1)).to.throw(refused);
  });

  it('admit no node with other roles than they name, and are not used up by it', () => {
    const tokens = new JoinTokens(randomBytes);
    const token = tokens.create(0, ['coordinator', 'consensus']);
    for (const asked of [['data'], ['coordinator', 'data'], ['data', 'coordinator', 'consensus']]) {
      expect(() => tokens.redeem(token, asked, 1)).to.throw(
        /admits a node with the roles coordinator, consensus, and this node asks for data as well/,
      );
    }
    const guess = `${token.slice(0, 7)}${'a'.repeat(16)}`;
    // Whoever does not know the secret does not learn the roles.
    expect(() => tokens.redeem(guess, ['data'], 1)).to.throw(refused);
    expect(tokens.redeem(token, ['coordinator'], 1)).to.equal(token.slice(0, 6));
  });

  it('have a bound, and expired ones make room', () => {
    const tokens = new JoinTokens(randomBytes);
    for (let count = 0; count < tokensMax; count += 1) tokens.create(0);
    expect(() => tokens.create(1)).to.throw(/join tokens already/);
    expect(tokens.create(lifetimeMs)).to.match(/\./);
  });
});
