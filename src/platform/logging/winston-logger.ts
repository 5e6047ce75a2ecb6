import winston from 'winston';
import { currentContext } from '../context.js';
import type { Logger } from './logger.js';
import { redactMember } from './redact.js';

export interface LoggerOptions {
  level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `json`: one object per line; `pretty`: for people. */
  format: 'json' | 'pretty';
  /** Fields of every line, e.g. the role of the process. */
  fields: Record<string, unknown>;
}

/** Logs to standard error, so that standard output stays free for what a command prints. */
export function createLogger(options: LoggerOptions): Logger {
  const enrich = winston.format((info) => {
    Object.assign(info, currentContext());
    for (const [key, value] of Object.entries(info)) if (key !== 'level') info[key] = redactMember(key, value);
    return info;
  });
  const logger = winston.createLogger({
    level: options.level === 'silent' ? 'error' : options.level,
    silent: options.level === 'silent',
    defaultMeta: options.fields,
    format: winston.format.combine(
      enrich(),
      winston.format.timestamp(),
      options.format === 'json' ? winston.format.json() : pretty,
    ),
    transports: [new winston.transports.Stream({ stream: process.stderr })],
  });
  return wrap(logger);
}

function wrap(logger: winston.Logger): Logger {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: Record<string, unknown>): void => {
      // Formats cost more than the question whether anybody wants the line.
      if (logger.isLevelEnabled(level)) logger.log(level, message, plain(fields));
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => wrap(logger.child(fields)),
  };
}

/** Error objects have no enumerable members: without this, JSON would show `{}`. */
function plain(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? describeError(value) : value]),
  );
}

function describeError(error: Error): Record<string, unknown> {
  return {
    name: error.name,
    message: error.message,
    ...('code' in error ? { code: error.code } : {}),
    stack: error.stack,
    ...(error.cause instanceof Error ? { cause: describeError(error.cause) } : {}),
  };
}

const LABELS: Record<string, string> = { debug: 'debug', info: 'info ', warn: 'WARN ', error: 'ERROR' };

const pretty = winston.format.printf(({ level, message, timestamp, role: _role, ...fields }) => {
  const time = String(timestamp).slice(11, 23);
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${oneLine(key)}=${typeof value === 'string' ? oneLine(value) : prettyValue(value)}`);
  return [time, LABELS[level] ?? level, oneLine(String(message)), ...rest].join(' ');
});

const LINE_BREAKING = /[\p{Cc}\u2028\u2029]/u;

/** Text that could end the line, or steer the terminal, is shown quoted and escaped: a log line is one line. */
function oneLine(text: string): string {
  return LINE_BREAKING.test(text) ? JSON.stringify(text).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, '\ufffd') : text;
}

function prettyValue(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'stack' in value && typeof value.stack === 'string') {
    return `\n${value.stack
      .split('\n')
      .map((line) => `  ${oneLine(line)}`)
      .join('\n')}`;
  }
  return oneLine(JSON.stringify(value));
}
