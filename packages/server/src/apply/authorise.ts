/**
 * Whether a caller may do what he asks, by the replicated users and roles
 * (etcd server/etcdserver/apply/apply_auth.go).
 *
 * What always holds
 * - A transaction needs the right to every compare and to every operation of both branches, at every depth, whatever
 *   runs: what is not permitted must not even be probed for.
 * - A put under a lease needs the right to write every key already on that lease, since the lease's end deletes them.
 * - Ranges are judged as the client sent them.
 */
import { EMPTY_BYTES, fromLatin1 } from '@etcd-ts/base';
import {
  EtcdError,
  type PutRequest,
  type DeleteRangeRequest,
  type RequestOp,
  type TxnRequest,
} from '@etcd-ts/protocol';
import type { AuthProblem, AuthState } from '../auth/auth-state.ts';
import type { Lessor } from '../lease/lessor.ts';
import { type Caller, type Command, isTheMember } from './command.ts';

/** Nobody: a request without a token. */
const NOBODY: Caller = { username: '', authRevision: 0 };

/** A key or a range of keys, as on the wire. */
interface Keys {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** One caller before the users and roles. Every answer is a problem, or undefined: permitted. */
export class Authoriser {
  readonly #auth: AuthState;
  readonly #lessor: Lessor;
  readonly #caller: Caller;

  constructor(auth: AuthState, lessor: Lessor, caller: Caller | undefined) {
    this.#auth = auth;
    this.#lessor = lessor;
    this.#caller = caller ?? NOBODY;
  }

  /** Anybody whom we know, with a token that is not outdated. */
  user(): AuthProblem | undefined {
    const { username, authRevision } = this.#caller;
    if (username === '' || authRevision === 0) return 'USER_EMPTY';
    return authRevision < this.#auth.revision ? 'AUTH_OLD_REVISION' : undefined;
  }

  /** User root, or whoever has role root, or a member itself. */
  root(): AuthProblem | undefined {
    if (isTheMember(this.#caller)) return undefined;
    return this.#auth.checkAdmin(this.#caller.username);
  }

  read({ key, rangeEnd }: Keys): AuthProblem | undefined {
    return this.#auth.checkRange(this.#caller, 'read', key, rangeEnd);
  }

  /** The right to read every one of these keys. */
  readEach(keys: readonly Uint8Array[]): AuthProblem | undefined {
    return firstProblem(keys, (key) => this.read({ key, rangeEnd: EMPTY_BYTES }));
  }

  put({ key, lease, prevKv }: PutRequest): AuthProblem | undefined {
    return (
      this.#write({ key, rangeEnd: EMPTY_BYTES }) ??
      (lease === 0n ? undefined : this.writeLease(lease)) ??
      (prevKv ? this.read({ key, rangeEnd: EMPTY_BYTES }) : undefined)
    );
  }

  deleteRange(request: DeleteRangeRequest): AuthProblem | undefined {
    return this.#write(request) ?? (request.prevKv ? this.read(request) : undefined);
  }

  txn({ compare, success, failure }: TxnRequest): AuthProblem | undefined {
    return (
      firstProblem(compare, (one) => this.read(one)) ??
      firstProblem(success, (op) => this.#operation(op)) ??
      firstProblem(failure, (op) => this.#operation(op))
    );
  }

  /** The right to write every key on a lease. */
  writeLease(id: bigint): AuthProblem | undefined {
    const mayWriteAll = this.root() === undefined;
    // In no order: whatever is wrong with the caller is wrong with every key, and else all are as forbidden.
    for (const key of this.#lessor.eachKeyOf(id)) {
      const problem = this.#write({ key: fromLatin1(key), rangeEnd: EMPTY_BYTES });
      if (problem !== undefined || mayWriteAll) return problem;
    }
    return undefined;
  }

  #write({ key, rangeEnd }: Keys): AuthProblem | undefined {
    return this.#auth.checkRange(this.#caller, 'write', key, rangeEnd);
  }

  #operation({ request }: RequestOp): AuthProblem | undefined {
    switch (request?.$case) {
      case 'requestRange':
        return this.read(request.value);
      case 'requestPut':
        return this.put(request.value);
      case 'requestDeleteRange':
        return this.deleteRange(request.value);
      case 'requestTxn':
        return this.txn(request.value);
      default:
        return undefined;
    }
  }
}

/** The refusal of a command by the users and roles as of its entry, or undefined. Costs nothing while auth is off. */
export function refusedByAuth(
  command: Command,
  auth: AuthState,
  lessor: Lessor,
): EtcdError | undefined {
  if (!auth.enabled) return undefined;
  const problem = judge(command, new Authoriser(auth, lessor, command.caller));
  return problem === undefined ? undefined : new EtcdError(problem);
}

function judge(command: Command, caller: Authoriser): AuthProblem | undefined {
  switch (command.kind) {
    case 'put':
      return caller.put(command.request);
    case 'deleteRange':
      return caller.deleteRange(command.request);
    case 'txn':
      return caller.txn(command.request);
    case 'leaseGrant':
      return caller.user();
    case 'leaseRevoke':
      return caller.user() ?? caller.writeLease(command.request.ID);
    case 'compact':
      return caller.root();
    case 'auth':
      return command.change.op === 'authenticate' ? undefined : caller.root();
    // Members speak for themselves in these; what a client asks is judged at the door.
    case 'alarm':
    case 'leaseRevokeExpired':
    case 'leaseCheckpoint':
    case 'publishMember':
    case 'setClusterVersion':
    case 'setDowngrade':
      return undefined;
  }
}

function firstProblem<T>(
  items: readonly T[],
  judgeOne: (item: T) => AuthProblem | undefined,
): AuthProblem | undefined {
  for (const item of items) {
    const problem = judgeOne(item);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
