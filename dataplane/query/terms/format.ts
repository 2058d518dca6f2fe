import type { DatumObject } from '../../datum/datum.ts';
import { fieldOf } from '../../datum/object.ts';
import { prettyText } from '../../datum/text.ts';
import type { Context, TermCall, TermEntry } from '../compiled.ts';
import { checkedLength, logic, nonExistence } from '../failure.ts';
import { after, inSteps, whenDone } from '../maybe-async.ts';
import { Term } from '../term-table.ts';
import { objectOfValue, textOf } from '../value-reading.ts';
import { pieceCharacters } from '../work/pieces.ts';
import { coerced } from './values.ts';

/** A text with the fields of an object in the place of their names in braces. */
function format({ args: [template = null, object = null], context }: TermCall): Text {
  const text = textOf(template);
  const fields = objectOfValue(object);
  let at = 0;
  let formatted = '';
  const more = (part: string): void => {
    formatted = checkedLength(formatted + part);
  };
  const step = (): boolean | Promise<boolean> => {
    const piece = text.slice(at, at + pieceCharacters);
    const brace = piece.search(/[{}]/);
    more(brace < 0 ? piece : piece.slice(0, brace));
    context.work?.spendText(brace < 0 ? piece.length : brace);
    if (brace < 0) {
      at += piece.length;
      return at < text.length;
    }
    if (piece[brace] === '}') throw logic('No parameter tags to close');
    at += brace;
    const end = text.indexOf('}', at);
    const name = text.slice(at + 1, end < 0 ? undefined : end);
    checkParameter(name);
    if (end < 0) throw logic('Parameter tag must be closed');
    at = end + 1;
    return whenDone(fieldText(fields, name, context), (part) => {
      more(part);
      return at < text.length;
    });
  };
  return after<string>(inSteps(context.work, step), () => formatted);
}

type Text = string | Promise<string>;

function checkParameter(name: string): void {
  const refused = /[{,\\]/.exec(name)?.[0];
  if (refused === undefined) return;
  if (refused === '{') throw logic('Nested template parameters are not allowed');
  throw logic(
    refused === ','
      ? 'Formatting separator `,` is not allowed in parameter name'
      : 'Reserved escape character `\\` is not allowed in parameter name',
  );
}

function fieldText(object: DatumObject, name: string, { work }: Context): Text {
  const value = fieldOf(object, name);
  if (value === undefined)
    throw nonExistence(`No attribute \`${name}\` in object:\n${prettyText(object)}`);
  return whenDone(coerced(value, 'STRING', { subject: value, work }), textOf);
}

export const formatTerms: readonly TermEntry[] = [[Term.FORMAT, { arity: [2, 2], run: format }]];
