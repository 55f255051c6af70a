/** Operations in a few words, for messages and pages. */
import { toLatin1 } from '@etcd-ts/base';
import { type Operation, responseRevision } from './operation.ts';

/** What was asked for. */
export function describeRequest({ request }: Operation): string {
  if (request.kind === 'put') {
    return `put ${toLatin1(request.request.key)} = ${toLatin1(request.request.value)}`;
  }
  if ('request' in request && 'key' in request.request) {
    return `${request.kind} ${toLatin1(request.request.key)}`;
  }
  if ('id' in request) return `${request.kind} ${request.id}`;
  return request.kind === 'compact' ? `compact ${request.revision}` : request.kind;
}

/** What its client was told. */
export function describeOutcome({ outcome }: Operation): string {
  return outcome.kind === 'ok' ? `revision ${responseRevision(outcome.response)}` : outcome.code;
}

/** All of it in a line. */
export function describeOperation(operation: Operation): string {
  const [fromMs, toMs] = [operation.invokedUs / 1000, operation.returnedUs / 1000];
  return (
    `#${operation.id} ${describeRequest(operation)}, client ${operation.client} at member ${operation.member}, ` +
    `${fromMs.toFixed(1)} to ${toMs.toFixed(1)} ms: ${operation.outcome.kind}, ${describeOutcome(operation)}`
  );
}

/** Operations shown around a moment, besides those that are named. */
const MAX_AROUND = 6;

/** The operations that a violation names, and the last ones that ended before it shows; by time. */
export function operationsAround(
  operations: readonly Operation[],
  named: readonly number[],
  atUs: number | undefined,
): readonly string[] {
  const before = operations.filter(({ returnedUs }) => atUs !== undefined && returnedUs <= atUs);
  const latest = before.sort((a, b) => b.returnedUs - a.returnedUs).slice(0, MAX_AROUND);
  const chosen = new Set([...operations.filter(({ id }) => named.includes(id)), ...latest]);
  return [...chosen].sort((a, b) => a.invokedUs - b.invokedUs).map(describeOperation);
}
