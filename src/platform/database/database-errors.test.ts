import { ConnectionAcquireTimeoutError, ConnectionRefusedError, DatabaseError } from 'sequelize';
import { describe, expect, it } from 'vitest';
import { isDatabaseUnavailable } from './database-errors.js';

const withCode = (code: string): Error => Object.assign(new Error('said by the server'), { code });
const wrapped = (error: Error): DatabaseError => new DatabaseError(Object.assign(error, { sql: 'SELECT 1' }));

describe('isDatabaseUnavailable', () => {
  it.each([
    ['no connection', new ConnectionRefusedError(new Error('refused'))],
    ['no free connection', new ConnectionAcquireTimeoutError(new Error('busy'))],
    ['no answer in time', wrapped(new Error('Query read timeout'))],
    ['a broken connection', wrapped(new Error('Connection terminated unexpectedly'))],
    ['a server going down', wrapped(withCode('57P01'))],
    ['a pool that cannot connect', new Error('timeout exceeded when trying to connect')],
  ])('is told of %s', (_what, error) => {
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  it.each([
    ['a statement that took too long', wrapped(withCode('57014'))],
    ['a violated constraint', wrapped(withCode('23505'))],
    ['any other error', new TypeError('undefined is not a function')],
  ])('is not told of %s', (_what, error) => {
    expect(isDatabaseUnavailable(error)).toBe(false);
  });
});
