import { describe, expect, test } from 'vitest';
import { parseTokenOption } from '../../src/auth/token-option.ts';

describe('--auth-token', () => {
  test('simple is simple, whatever parameters follow', () => {
    expect(parseTokenOption('simple')).toBe('simple');
    expect(parseTokenOption('simple,a=b')).toBe('simple');
  });

  test('jwt takes method, keys and time to live', () => {
    expect(
      parseTokenOption('jwt,pub-key=app.rsa.pub,priv-key=app.rsa,sign-method=RS512,ttl=1h30m'),
    ).toEqual({
      signMethod: 'RS512',
      publicKeyFile: 'app.rsa.pub',
      privateKeyFile: 'app.rsa',
      ttlSeconds: 5_400,
    });
    const short = parseTokenOption('jwt,sign-method=HS256,priv-key=secret');
    expect(short).toEqual({ signMethod: 'HS256', privateKeyFile: 'secret', ttlSeconds: 300 });
  });

  const bad: readonly (readonly [option: string, names: string])[] = [
    ['', "''"],
    ['token', "'token'"],
    ['simple,x', "'x'"],
    ['jwt', "sign-method ''"],
    ['jwt,sign-method=RS1,priv-key=k', "sign-method 'RS1'"],
    ['jwt,sign-method=none,priv-key=k', "sign-method 'none'"],
    ['jwt,sign-method=RS256,priv-key=k,priv-key=k', "'priv-key' is given twice"],
    ['jwt,sign-method=RS256,priv-key=a=b', "'priv-key=a=b'"],
    ['jwt,sign-method=RS256,priv-key=k,tll=5m', "'tll'"],
    ['jwt,sign-method=RS256,priv-key=k,ttl=soon', 'invalid duration "soon"'],
    ['jwt,sign-method=RS256,priv-key=k,ttl=0s', 'ttl 0s'],
  ];
  for (const [option, names] of bad) {
    test(`'${option}' is refused, and what is wrong is named`, () => {
      const open = () => parseTokenOption(option);
      expect(open).toThrow(/^auth: invalid auth options: /);
      expect(open).toThrow(names);
    });
  }

  test('a method without a key is refused in words of its own', () => {
    expect(() => parseTokenOption('jwt,sign-method=ES256')).toThrow('auth: missing key data');
    expect(() => parseTokenOption('jwt,sign-method=HS256,pub-key=p')).toThrow(
      'auth: missing key data: HS256 needs priv-key',
    );
  });
});
