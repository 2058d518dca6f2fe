/** Structured logs on standard output: one JSON object for each line, or text for people. */
import winston from 'winston';

export type Fields = Readonly<Record<string, unknown>>;

/** What the rest of the program knows of logging. */
export interface Logger {
  error(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  debug(message: string, fields?: Fields): void;
}

const { combine, timestamp, json, printf } = winston.format;

const text = printf(({ timestamp: time, level, message, ...fields }) => {
  const rest = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`;
  return `${String(time)} ${level.padEnd(5)} ${String(message)}${rest}`;
});

export function createLogger(options: {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'json' | 'text';
}): Logger {
  return winston.createLogger({
    level: options.level,
    format: combine(timestamp(), options.format === 'json' ? json() : text),
    transports: [new winston.transports.Console()],
  });
}

/** An error as fields: class, stable code and words. Stacks are for broken invariants alone. */
export function errorFields(error: unknown): Fields {
  if (!(error instanceof Error)) return { error: String(error) };
  const code = 'code' in error ? { code: error.code } : { stack: error.stack };
  return { error: error.message, ...code };
}
