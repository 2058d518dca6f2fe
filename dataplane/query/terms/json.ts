import { encodeUtf8 } from '../../common/bytes.ts';
import type { Datum } from '../../datum/datum.ts';
import { tooDeep } from '../../datum/errors.ts';
import { JsonDepthError, JsonReader } from '../../datum/json-reader.ts';
import { isObject } from '../../datum/object.ts';
import { parseText } from '../../datum/text.ts';
import type { TermCall } from '../compiled.ts';
import { logic } from '../failure.ts';
import { after, inSteps } from '../maybe-async.ts';
import { textOf } from '../value-reading.ts';
import { checkedInputIn } from '../work/checked-input.ts';
import type { Work } from '../work/work.ts';
import { duplicateKey } from './json-keys.ts';

/** `json`: a text as a value. RethinkDB refuses more than JSON.parse does. */
export function parseJson({ args: [text = null], context: { work } }: TermCall): Parsed {
  const source = textOf(text);
  const findings = new Findings();
  if (work !== undefined && source.length > shortCharacters)
    return longJson(source, findings, work);
  let parsed: Datum;
  try {
    parsed = parseText(source);
  } catch {
    throw refusal(source, jsonComplaint(source));
  }
  findings.read(source, parsed);
  return findings.checked(source, parsed, work);
}

type Parsed = Datum | Promise<Datum>;

const shortCharacters = 65_536;
/** A step of the reader takes about a millisecond. */
const unitsPerStep = 4_096;

const refusal = (source: string, reason: string): Error =>
  logic(`Failed to parse "${source}" as JSON: ${reason}`);

function longJson(source: string, findings: Findings, work: Work): Parsed {
  const reader = new JsonReader(encodeUtf8(source), findings);
  const done = inSteps(work, () => {
    work.spend(unitsPerStep);
    try {
      return reader.step();
    } catch (error) {
      throw error instanceof JsonDepthError ? tooDeep() : refusal(source, jsonComplaint(source));
    } finally {
      work.memory.charge(reader.takeMadeBytes());
    }
  });
  return after<Datum>(done, () => findings.checked(source, reader.value as Datum, work));
}

/** What is wrong with values that JSON has. */
class Findings {
  #isInfinite = false;
  #isNoText = false;
  #twice: string | undefined;

  read(text: string, value: unknown): void {
    this.#isInfinite ||= holds(value as Datum, isInfinite);
    this.#isNoText ||= holds(value as Datum, isNoText);
    if (text !== '') this.#twice ??= duplicateKey(text);
  }

  repeated(name: string): void {
    this.#twice ??= name;
  }

  checked(source: string, parsed: Datum, work: Work | undefined): Parsed {
    if (this.#isInfinite) throw refusal(source, 'Number too big to be stored in double.');
    if (this.#isNoText) throw refusal(source, 'The surrogate pair in string is invalid.');
    const datum = checkedInputIn(parsed, work);
    return datum instanceof Promise
      ? datum.then((found) => this.#unlessTwice(found))
      : this.#unlessTwice(datum);
  }

  #unlessTwice(datum: Datum): Datum {
    if (this.#twice === undefined) return datum;
    throw logic(`Duplicate key ${JSON.stringify(this.#twice)} in JSON.`);
  }
}

const isInfinite = (scalar: Datum): boolean =>
  typeof scalar === 'number' && !Number.isFinite(scalar);
const isNoText = (scalar: Datum): boolean => typeof scalar === 'string' && !scalar.isWellFormed();

/** Whether a value has such a scalar, in whatever depth: names of fields are scalars, too. */
function holds(datum: Datum, isWanted: (scalar: Datum) => boolean): boolean {
  const open: Datum[] = [datum];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== 'object' || next === null) {
      if (isWanted(next)) return true;
    } else if (isObject(next)) {
      for (const [name, field] of Object.entries(next)) open.push(name, field);
    } else for (const item of next) open.push(item);
  }
  return false;
}

function jsonComplaint(source: string): string {
  if (source.trim() === '') return 'The document is empty.';
  if (source.startsWith('[') && !source.endsWith(']'))
    return "Missing a comma or ']' after an array element.";
  return source.startsWith('{') && !source.endsWith('}')
    ? "Missing a comma or '}' after an object member."
    : 'Invalid value.';
}
