/**
 * What a node asks to be signed (PKCS #10). It is read strictly: a request for anything but one
 * identity of a node is refused, rather than signed without the rest.
 */
import type { PublicKey } from '@peculiar/x509';
import {
  ExtensionsAttribute,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509';
import { keyAlgorithm } from './authority.ts';
import type { NodeIdentity } from './node-identity.ts';
import { parseIdentity } from './node-identity.ts';
import { SigningRefusal } from './refusal.ts';

/** Of the PEM text; a request of a node has about 500. */
export const requestCharactersMax = 8_192;

export interface SigningRequest {
  readonly publicKey: PublicKey;
  readonly identity: NodeIdentity;
}

const refusal = (message: string, options: ErrorOptions = {}): SigningRefusal =>
  new SigningRefusal('request_refused', message, options);

function parse(text: string): Pkcs10CertificateRequest {
  try {
    return new Pkcs10CertificateRequest(text);
  } catch (error) {
    throw refusal('the signing request cannot be read: send PKCS #10 in PEM', { cause: error });
  }
}

interface KeyKind {
  readonly name: string;
  readonly namedCurve?: string;
}

async function checkKey(request: Pkcs10CertificateRequest): Promise<void> {
  let isSound: boolean;
  let isSigned: boolean;
  try {
    const { name, namedCurve } = request.publicKey.algorithm as KeyKind;
    isSound = name === keyAlgorithm.name && namedCurve === keyAlgorithm.namedCurve;
    isSigned = isSound && (await request.verify());
  } catch (error) {
    throw refusal('the key of the signing request cannot be used: send an ECDSA key on P-256', {
      cause: error,
    });
  }
  if (!isSound) {
    throw refusal('the key of the signing request is of another kind: send an ECDSA key on P-256');
  }
  if (!isSigned) throw refusal('the signing request is not signed by its own key');
}

function identityOf(request: Pkcs10CertificateRequest): NodeIdentity {
  const isBare = request.attributes.every((each) => each instanceof ExtensionsAttribute);
  const [extension, ...others] = request.extensions;
  const names =
    extension instanceof SubjectAlternativeNameExtension ? extension.names.items : undefined;
  if (!isBare || names === undefined || others.length > 0 || request.subject !== '') {
    throw refusal(
      'the signing request asks for more than an identity: send an empty subject, and one subject alternative name as the only extension',
    );
  }
  const [name, ...more] = names;
  const identity =
    name?.type === 'url' && more.length === 0 ? parseIdentity(name.value) : undefined;
  if (identity !== undefined) return identity;
  throw refusal(
    'the signing request names something else than one node: its subject alternative name is photondb://CLUSTER-ID/node/NODE-ID',
  );
}

/** The key and the identity that a node asks for; throws a refusal with the reason. */
export async function readSigningRequest(text: string): Promise<SigningRequest> {
  if (text.length > requestCharactersMax) {
    throw new SigningRefusal(
      'too_large',
      `the signing request has ${text.length} characters: at most ${requestCharactersMax} are read`,
    );
  }
  const request = parse(text);
  await checkKey(request);
  return { publicKey: request.publicKey, identity: identityOf(request) };
}
