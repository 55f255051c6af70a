import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { errorTable, errorTablePath } from '../scripts/error-table.ts';
import {
  CATALOGUE,
  type ErrorCode,
  EtcdError,
  errorFromRpcText,
  errorFromWire,
  ETCD_ERRORS,
  rpcErrorText,
  Status,
} from '../src/index.ts';
import { facts } from './wire-facts.ts';

describe('the catalogue of errors', () => {
  test('has every error of etcd with its status and text, and no other', () => {
    const expected = facts('errors').map((fact) => `${fact['code_number']} ${fact['message']}`);
    const actual = Object.values(ETCD_ERRORS).map(
      ({ status, message }) => `${Status[status]} ${message}`,
    );
    expect(actual.sort()).toEqual(expected.sort());
  });

  test('is what docs/errors.md says', () => {
    expect(existsSync(errorTablePath)).toBe(true);
    expect(readFileSync(errorTablePath, 'utf8')).toBe(errorTable());
  });
});

describe('an EtcdError', () => {
  const codes = Object.keys(CATALOGUE) as ErrorCode[];

  test('comes back from the wire with the code it had', () => {
    for (const code of codes) {
      const error = new EtcdError(code);
      expect(errorFromWire(error.status, error.message).code).toBe(code);
    }
  });

  test('of unknown text comes back with the generic code of its status and the text', () => {
    for (let status = 1; status <= 16; status++) {
      const error = errorFromWire(status, 'something new');
      expect(error.status).toBe(status);
      expect(error.message).toBe('something new');
    }
  });

  test('of a status that does not exist comes back as UNKNOWN', () => {
    expect(errorFromWire(99, 'odd').code).toBe('UNKNOWN');
  });

  test('is recognised when another copy of the package made it, and nothing else is', () => {
    const foreign = { [Symbol.for('@etcd-ts/EtcdError')]: true };
    expect(EtcdError.is(foreign)).toBe(true);
    expect(EtcdError.is(new Error('no'))).toBe(false);
    expect(EtcdError.is(null)).toBe(false);
  });

  test('made of something else is UNKNOWN with its text and cause', () => {
    const cause = new TypeError('x is not a function');
    const error = EtcdError.from(cause);
    expect([error.code, error.message, error.cause]).toEqual(['UNKNOWN', cause.message, cause]);
    expect(EtcdError.from(error)).toBe(error);
    expect(EtcdError.from('text').message).toBe('text');
  });

  test('says by itself whether the request may have applied', () => {
    expect(new EtcdError('TIMEOUT').mayHaveApplied).toBe(true);
    expect(new EtcdError('EMPTY_KEY').mayHaveApplied).toBe(false);
    expect(new EtcdError('UNAVAILABLE', { mayHaveApplied: false }).mayHaveApplied).toBe(false);
  });

  test('is printed as grpc-go prints it, and read again', () => {
    const text = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
    expect(rpcErrorText(new EtcdError('PERMISSION_DENIED'))).toBe(text);
    expect(errorFromRpcText(text)?.code).toBe('PERMISSION_DENIED');
    expect(errorFromRpcText('mvcc: watcher range is empty')).toBeUndefined();
  });
});
