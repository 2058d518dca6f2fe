import winston from 'winston';

/** Structured messages, one JSON object a line, on standard error: standard output is for the ready line. */
export interface Logger {
  error(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
}

export function createLogger(level: string, fields: object): Logger {
  const levels = ['error', 'warn', 'info', 'debug'];
  return winston.createLogger({
    level,
    defaultMeta: fields,
    format: winston.format.combine(winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console({ stderrLevels: levels })],
  });
}
