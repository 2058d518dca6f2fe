import { compile } from './compile.ts';
import { noScope } from './scope.ts';
import type { CompiledFunction, Context } from './compiled.ts';
import { logic } from './failure.ts';
import { FunctionValue } from './value.ts';

/** A function that was stored as its term. */
export function compileFunction(term: unknown, context: Context): CompiledFunction {
  const node = compile(term, context);
  const value = node.run(noScope);
  if (!(value instanceof FunctionValue)) throw logic('The term is not a function.');
  return { value, determinism: node.determinism };
}
