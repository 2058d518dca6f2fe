import winston from 'winston';

/**
 * Structured messages, on standard error: standard output is for the ready line. One JSON object a line
 * for programs, one line of text for a terminal.
 */
export interface Logger {
  error(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  debug(message: string, fields?: object): void;
}

const { combine, json, printf, timestamp } = winston.format;
const levels = ['error', 'warn', 'info', 'debug'];
/** Of an ISO timestamp: hours to seconds. */
const clockPart = [11, 19] as const;

const shown = (value: unknown): string =>
  typeof value === 'string' && !/[\s"=]/.test(value) ? value : (JSON.stringify(value) ?? '');

/** `16:01:02 warn message key=value`, without what is the same in each line. */
function lineFor(fields: object): ReturnType<typeof printf> {
  const constant = new Set(['level', 'message', 'timestamp', ...Object.keys(fields)]);
  return printf(({ level, message, timestamp: at, ...more }) => {
    const pairs = Object.entries(more)
      .filter(([name]) => !constant.has(name))
      .map(([name, value]) => ` ${name}=${shown(value)}`);
    return `${String(at).slice(...clockPart)} ${level} ${String(message)}${pairs.join('')}`;
  });
}

export function createLogger(level: string, fields: object, forPeople = false): Logger {
  return winston.createLogger({
    level,
    defaultMeta: fields,
    format: combine(timestamp(), forPeople ? lineFor(fields) : json()),
    transports: [new winston.transports.Console({ stderrLevels: levels })],
  });
}
