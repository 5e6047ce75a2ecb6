import { describe, expect, it } from 'vitest';
import { requireGoodPassword } from './password.domain.js';

const check = (password: string) => () => requireGoodPassword(password, 'jane.doe@example.com', 'password');

describe('requireGoodPassword', () => {
  it.each([
    'password',
    'PASSWORD',
    'Password1',
    'Password123!',
    'P@ssw0rd',
    'qwertyuiop',
    'Dragon2024!!',
    '12345678',
    '1q2w3e4r',
    'aaaaaaaaaa',
    'abababababab',
    'xyzxyzxyz',
    'jane.doe',
    'Jane.Doe@example.com',
    'JANE.DOE@EXAMPLE.COM',
  ])('refuses %j', (password) => {
    expect(check(password)).toThrow(expect.objectContaining({ code: 'validation-failed' }) as Error);
  });

  it.each([
    'securepassword123',
    'correct horse battery',
    'password and something else',
    'jane.doe and her dog',
    '8 little ducks',
    '93471045',
    'пароль-не-скажу',
    '!!!!1111????',
  ])('takes %j', (password) => {
    expect(check(password)).not.toThrow();
  });
});
