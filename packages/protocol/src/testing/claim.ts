import { assert, equalBytes, fromUtf8, utf8 } from '@etcd-ts/base';
import { EtcdError } from '../errors.ts';
import type { Handlers } from '../services.ts';
import type { ChannelClaim, ChannelWorld, MakeChannel } from './channel-suite.ts';

/** A claim about a world with these handlers, which is freed whatever happens. */
export function claim(
  name: string,
  handlers: () => Handlers,
  run: (world: ChannelWorld) => Promise<void>,
): ChannelClaim {
  return {
    name,
    run: async (make: MakeChannel) => {
      const world = await make(handlers());
      try {
        await run(world);
      } finally {
        await world.close();
      }
    },
  };
}

/** States that two values are the same; bytes are compared by what they hold. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const isSame =
    actual instanceof Uint8Array && expected instanceof Uint8Array
      ? equalBytes(actual, expected)
      : Object.is(actual, expected);
  assert(isSame, () => `${what}: expected ${show(expected)}, was ${show(actual)}`);
}

/** The EtcdError that a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<EtcdError> {
  let outcome: unknown;
  try {
    outcome = await promise;
  } catch (error) {
    assert(EtcdError.is(error), () => `expected an EtcdError, was ${String(error)}`);
    return error;
  }
  assert(false, () => `expected an EtcdError, was the answer ${show(outcome)}`);
}

/** A put of this text. */
export function put(value: string): {
  key: Uint8Array;
  value: Uint8Array;
  lease: bigint;
  prevKv: boolean;
  ignoreValue: boolean;
  ignoreLease: boolean;
} {
  return {
    key: utf8('key'),
    value: utf8(value),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
}

function show(value: unknown): string {
  if (value instanceof Uint8Array) return fromUtf8(value);
  return typeof value === 'bigint' ? `${value}n` : String(value);
}
