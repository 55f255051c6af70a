import type { Entry } from '../../index.ts';

/** What an entry carries, as a string: equal exactly when the payloads are. */
export function payloadKey(entry: Entry): string {
  const { payload } = entry;
  if (payload.kind === 'command') return `command ${payload.data.join(',')}`;
  if (payload.kind === 'empty') return 'empty';
  const steps = payload.change.steps.map((step) => `${step.op}:${step.node}`);
  return `config ${payload.change.transition} ${steps.join(' ')} ${payload.change.context.join(',')}`;
}

/** The state machine's digest after one more entry: order and content of all entries decide it. */
export function nextDigest(digest: number, entry: Entry): number {
  let hash = Math.imul(digest ^ entry.index, 0x01000193) ^ Math.imul(entry.term, 0x85ebca6b);
  const key = payloadKey(entry);
  for (let at = 0; at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}
