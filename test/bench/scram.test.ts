import { expect } from 'chai';
import { scramExchange } from './scram.ts';

describe('SCRAM of the benchmark', () => {
  it('proves the password as in the example of RFC 7677', () => {
    const exchange = scramExchange('user', 'pencil', 'rOprNGfwEbeRWgbNEkqO');
    expect(exchange.first).to.equal('n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
    expect(exchange.final(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`)).to.equal(
      `c=biws,r=${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
    );
  });
});
