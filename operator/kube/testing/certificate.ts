/**
 * Certificates for tests, made on the spot: an authority, and what it signs. Only as much DER as
 * that takes (RFC 5280): P-256 keys, one name, subject alternative names, a day of validity.
 */
import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export interface Identity {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
  readonly name: string;
}

function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Uint8Array.of(tag, length), content]);
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...bytes), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Uint8Array => der(0x30, ...parts);
const octets = (content: Uint8Array): Uint8Array => der(0x04, content);
const bits = (content: Uint8Array): Uint8Array => der(0x03, Uint8Array.of(0), content);
const text = (value: string): Uint8Array => der(0x0c, Buffer.from(value));
const oid = (hex: string): Uint8Array => der(0x06, Buffer.from(hex, 'hex'));
const yes = der(0x01, Uint8Array.of(0xff));

const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));
const commonName = oid('550403');
const basicConstraints = oid('551d13');
const subjectAltName = oid('551d11');

function nameOf(value: string): Uint8Array {
  return sequence(der(0x31, sequence(commonName, text(value))));
}

function utcTime(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`));
}

function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

const dayMs = 86_400_000;

function make(name: string, authority: Identity | undefined): Identity {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
  const loopback = der(0x87, Uint8Array.of(127, 0, 0, 1));
  const extension =
    authority === undefined
      ? sequence(basicConstraints, yes, octets(sequence(yes)))
      : sequence(subjectAltName, octets(sequence(der(0x82, Buffer.from(name)), loopback)));
  const body = sequence(
    der(0xa0, der(0x02, Uint8Array.of(2))),
    der(0x02, Uint8Array.of(1), randomBytes(8)),
    ecdsaWithSha256,
    nameOf(authority?.name ?? name),
    sequence(utcTime(Date.now() - dayMs), utcTime(Date.now() + dayMs)),
    nameOf(name),
    pair.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension)),
  );
  const signature = sign('sha256', body, createPrivateKey(authority?.key ?? key));
  const certificate = pem('CERTIFICATE', sequence(body, ecdsaWithSha256, bits(signature)));
  return { certificate, key, name };
}

export function makeAuthority(name: string): Identity {
  return make(name, undefined);
}

/** For a server on the loopback address, or a client. */
export function issueCertificate(authority: Identity, name: string): Identity {
  return make(name, authority);
}
