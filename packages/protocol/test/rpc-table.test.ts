import { describe, expect, test } from 'vitest';
import { RPC_TABLE, RPCS } from '../src/index.ts';
import { facts } from './wire-facts.ts';

describe('the table of RPCs', () => {
  test('has every RPC of etcd with its codecs, kind and gateway paths', () => {
    const expected = facts('rpcs').map((fact) =>
      [
        `${fact['service']}/${fact['method']}`,
        fact['request'],
        fact['response'],
        fact['kind'],
        fact['gateway_paths_3.6'],
      ].join(' '),
    );
    // Server reflection is gRPC's and not in the table of etcd's facts.
    const own = RPCS.filter(({ service }) => !service.startsWith('grpc.reflection.'));
    const actual = own.map((rpc) =>
      [
        rpc.name,
        rpc.request.typeName,
        rpc.response.typeName,
        rpc.kind,
        rpc.gatewayPaths.join(' '),
      ].join(' '),
    );
    expect(actual.sort()).toEqual(expected.sort());
  });

  test('names service and method of each entry', () => {
    for (const [name, rpc] of Object.entries(RPC_TABLE)) {
      expect(`${rpc.service}/${rpc.method}`).toBe(name);
    }
  });

  test('has no gateway path twice', () => {
    const paths = RPCS.flatMap((rpc) => rpc.gatewayPaths);
    expect(new Set(paths).size).toBe(paths.length);
  });
});
