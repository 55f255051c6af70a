/** What the generator knows of the stores it drives, and one request of it. */
import type { RequestOf, UnaryMethodName } from '@etcd-ts/protocol';

/** What the generator knows of the stores it drives. */
export interface Progress {
  /** Last revision that was answered. */
  revision: number;
  /** Last revision that was compacted at; 0 before. */
  compactRevision: number;
  isCompacted: boolean;
  /** Revisions under which leases campaigned. */
  readonly campaigns: Map<bigint, number>;
  /** An alarm may be raised. */
  isAlarmed: boolean;
}

/** One unary request. */
export type UnaryStep = {
  readonly [Method in UnaryMethodName]: {
    readonly method: Method;
    readonly request: RequestOf<Method>;
  };
}[UnaryMethodName];
