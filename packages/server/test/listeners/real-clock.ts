import { systemClock } from '@etcd-ts/client/node';
import type { Clock } from '../../src/clock.ts';

/** The time of this machine, for tests over real sockets. */
export const realClock: Clock = {
  ...systemClock,
  wallMs: () => Date.now(),
  soon: (callback) => void setImmediate(callback),
};
