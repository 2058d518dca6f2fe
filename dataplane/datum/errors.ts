import { PhotonError } from '../common/errors.ts';
import { datumDepthMax } from './limits.ts';

/** A value that ReQL does not have, or a document that no table may hold. Clients see the message. */
export class InvalidDatumError extends PhotonError {
  override readonly code = 'datum.invalid';
}

/** A document that no table may hold, whatever becomes of it. */
export class DocumentTooLargeError extends InvalidDatumError {}

export const nonFinite = (value: number): InvalidDatumError =>
  new InvalidDatumError(
    `Non-finite number: ${Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf'}`,
  );

export const noValue = (kind: string): InvalidDatumError =>
  new InvalidDatumError(`A ${kind} is not a value of ReQL.`);

export const tooLarge = (): InvalidDatumError =>
  new InvalidDatumError(
    'Value too large: with everything that it holds, it is more than a query may handle at once.',
  );

export const tooDeep = (): InvalidDatumError =>
  new InvalidDatumError(
    `Value nested too deeply: at most ${datumDepthMax} arrays and objects may be inside one another.`,
  );
