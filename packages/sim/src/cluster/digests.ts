/** States and commands in short: to compare them, and to name them in a message. */
import { toLatin1 } from '@etcd-ts/base';
import type { Served } from '@etcd-ts/server';

/** Digests of a state: of the keys with their revisions, and of the rest. */
export interface Digests {
  readonly keysHash: number;
  readonly restHash: string;
}

/** The digests of a member's replicated state. */
export function digestsOf(state: Served['node']['state']): Digests {
  return { keysHash: state.store.stateFingerprint(), restHash: state.restHash() };
}

/** The state after an entry, for a message. */
export function digestText(index: number, { keysHash, restHash }: Digests): string {
  return `${index}-${keysHash.toString(16)}-${restHash}`;
}

/** A command's first characters, for a message. */
export function printOf(command: { readonly kind: string } | undefined, kind: string): string {
  return command === undefined ? kind : fingerprintOf(command).slice(0, 200);
}

/** A command's content as text: equal content, equal text, whoever made the object. */
function fingerprintOf(command: { readonly kind: string }): string {
  return JSON.stringify(command, (key, value: unknown) => {
    if (value instanceof Uint8Array) return toLatin1(value);
    if (typeof value === 'bigint') return `${value}n`;
    if (key === 'caller') return undefined;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const sorted = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
      return Object.fromEntries(sorted);
    }
    return value;
  });
}
