import { JsonDepthError, JsonError, JsonReader } from '../datum/json-reader.ts';
import { CompileError, MalformedQueryError } from './errors.ts';
import { inSteps } from './maybe-async.ts';
import type { Work } from './work/work.ts';

/** Reads the text of a long query, with pauses; what is made of it is the query's. */
export async function readInSteps(bytes: Uint8Array, work: Work): Promise<unknown> {
  const { memory } = work;
  const reader = new JsonReader(bytes);
  memory.charge(bytes.byteLength);
  let made = 0;
  const charge = (): void => {
    const more = reader.takeMadeBytes();
    made += more;
    memory.charge(more);
  };
  try {
    await inSteps(work, () => {
      work.spend(unitsPerStep);
      const goesOn = reader.step();
      charge();
      return goesOn;
    });
  } catch (error) {
    if (error instanceof JsonError) throw new MalformedQueryError();
    if (error instanceof JsonDepthError) throw new CompileError('Query too deeply nested.', []);
    throw error;
  }
  memory.settle(0, made);
  return reader.value;
}

/** A step takes about a millisecond. */
const unitsPerStep = 4_096;
