import type { Clock } from '../common/clock.ts';
import type { Logger } from '../observability/logger.ts';
import type { QueryEngine } from '../query/engine.ts';
import { termText } from '../query/term-text.ts';

/** Logs each query with how it ended, for `--log-level debug`. */
const termCharactersMax = 300;

function shown(term: unknown): string {
  const text = termText(term);
  return text.length > termCharactersMax ? `${text.slice(0, termCharactersMax)}…` : text;
}

export function tracedEngine(engine: QueryEngine, logger: Logger, clock: Clock): QueryEngine {
  return {
    read: (bytes, signal) => engine.read(bytes, signal),
    async run(term, options, session) {
      const since = clock.now();
      const ended = (outcome: string): void => {
        const ms = Math.round(clock.now() - since);
        logger.debug('a query', { user: session.user, ms, outcome, term: shown(term) });
      };
      try {
        const outcome = await engine.run(term, options, session);
        ended(outcome.type);
        return outcome;
      } catch (error) {
        ended((error as Error).message);
        throw error;
      }
    },
  };
}
