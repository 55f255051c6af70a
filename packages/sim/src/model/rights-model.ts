/**
 * Users, roles and tokens by the book: what each state of them permits. Written from etcd's rules alone, not from the
 * server that it judges.
 *
 * What always holds: a state is never changed; each change makes the next one.
 */
import { toLatin1 } from '@etcd-ts/base';
import type { RequestOp } from '@etcd-ts/mvcc';
import type { OperationRequest } from '../history/operation.ts';
import type { ErrorCode } from '@etcd-ts/protocol';
import type { GhostCommand } from '../cluster/ghost.ts';
import { rangeLimits } from './key-space.ts';

/** A change of users and roles, as the log has it. */
export type RightsChange = Extract<GhostCommand, { kind: 'auth' }>['change'];

/** Something that a request does to keys: reading needs one right, writing another. */
interface Need {
  readonly access: 'read' | 'write';
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

interface Grant {
  readonly permType: number;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** With what a command is refused for want of a right. */
type Refusal = Extract<
  ErrorCode,
  'USER_EMPTY' | 'AUTH_OLD_REVISION' | 'PERMISSION_DENIED' | 'USER_NOT_FOUND'
>;

type Caller = NonNullable<GhostCommand['caller']>;

/** In whose name a command comes that names nobody. */
const NOBODY: Caller = { username: '', authRevision: 0 };
/** What members themselves ask for carries this revision. */
const OF_THE_MEMBER = -1;

const ROOT = 'root';
const READ = 0;
const WRITE = 1;

/** Users and roles as they are after one entry. */
export class RightsState {
  readonly isOn: boolean;
  /** One more with each change: whoever was known as of an older one has to come again. */
  readonly #revision: number;
  readonly #users: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #roles: ReadonlyMap<string, readonly Grant[]>;
  /** The entry since which tokens of a user count; of those that were given before, none does. */
  readonly #voidThrough: ReadonlyMap<string, number>;

  private constructor(
    isOn: boolean,
    revision: number,
    users: ReadonlyMap<string, ReadonlySet<string>>,
    roles: ReadonlyMap<string, readonly Grant[]>,
    voidThrough: ReadonlyMap<string, number>,
  ) {
    this.isOn = isOn;
    this.#revision = revision;
    this.#users = users;
    this.#roles = roles;
    this.#voidThrough = voidThrough;
  }

  /** Nobody has changed anything yet. */
  static readonly first: RightsState = new RightsState(false, 1, new Map(), new Map(), new Map());

  /** The state after a change that was not refused. */
  after(change: RightsChange, index: number): RightsState {
    const users = new Map(this.#users);
    const roles = new Map(this.#roles);
    const voidThrough = new Map(this.#voidThrough);
    const rolesOf = (user: string): Set<string> => new Set(users.get(user));
    const others = (role: string, { key, rangeEnd }: Omit<Grant, 'permType'>): readonly Grant[] =>
      (roles.get(role) ?? []).filter(
        (each) =>
          toLatin1(each.key) !== toLatin1(key) || toLatin1(each.rangeEnd) !== toLatin1(rangeEnd),
      );
    let { isOn } = this;
    // Switching on, and what is so already, change nothing of what was known of anybody.
    let revision = this.#revision + 1;
    switch (change.op) {
      case 'enable':
        isOn = true;
        revision = this.#revision;
        break;
      case 'disable':
        if (!isOn) revision = this.#revision;
        isOn = false;
        for (const user of users.keys()) voidThrough.set(user, index);
        break;
      case 'addUser':
        users.set(change.user, new Set());
        break;
      case 'deleteUser':
        users.delete(change.user);
        voidThrough.set(change.user, index);
        break;
      case 'changePassword':
        voidThrough.set(change.user, index);
        break;
      case 'grantRole':
        if (rolesOf(change.user).has(change.role)) revision = this.#revision;
        users.set(change.user, rolesOf(change.user).add(change.role));
        break;
      case 'revokeRole': {
        const left = rolesOf(change.user);
        left.delete(change.role);
        users.set(change.user, left);
        break;
      }
      case 'addRole':
        roles.set(change.role, []);
        break;
      case 'deleteRole':
        roles.delete(change.role);
        for (const user of users.keys()) {
          const left = rolesOf(user);
          if (left.delete(change.role)) users.set(user, left);
        }
        break;
      case 'grantPermission':
        if (change.permission !== undefined) {
          const { permission } = change;
          roles.set(change.role, [...others(change.role, permission), permission]);
        }
        break;
      case 'revokePermission':
        roles.set(change.role, others(change.role, change));
        break;
      case 'authenticate':
        return this;
    }
    return new RightsState(isOn, revision, users, roles, voidThrough);
  }

  /** Whether a token still stands for its user. */
  isGood(user: string, token: string): boolean {
    const given = Number(token.slice(token.indexOf('.') + 1));
    return this.#users.has(user) && given > (this.#voidThrough.get(user) ?? 0);
  }

  /** Whether a user may do all that a request asks for. */
  may(user: string, request: OperationRequest): boolean {
    return request.kind === 'compact'
      ? this.#users.get(user)?.has(ROOT) === true
      : this.#has(user, needsOf(request));
  }

  /** Whether a user may read every key of a range, as a watch of it needs. */
  mayRead(user: string, key: Uint8Array, rangeEnd: Uint8Array): boolean {
    return this.#has(user, [{ access: 'read', key, rangeEnd }]);
  }

  /** With what a command of the log is refused in this state; undefined: with nothing of this kind. */
  refusalOf(command: GhostCommand): Refusal | undefined {
    if (!this.isOn) return undefined;
    const { caller = NOBODY } = command;
    switch (command.kind) {
      case 'put':
      case 'deleteRange':
      case 'txn': {
        const needs = needsOf(command);
        if (needs.length === 0) return undefined;
        const problem = this.#problemWith(caller);
        if (problem !== undefined || this.#has(caller.username, needs)) return problem;
        return 'PERMISSION_DENIED';
      }
      case 'leaseGrant':
      case 'leaseRevoke':
        return this.#problemWith(caller);
      case 'compact':
        return this.#problemAsRoot(caller);
      case 'auth':
        return command.change.op === 'authenticate' ? undefined : this.#problemAsRoot(caller);
      default:
        return undefined;
    }
  }

  #problemWith({ username, authRevision }: Caller): Refusal | undefined {
    if (username === '') return 'USER_EMPTY';
    return authRevision < this.#revision ? 'AUTH_OLD_REVISION' : undefined;
  }

  #problemAsRoot({ username, authRevision }: Caller): Refusal | undefined {
    if (username === '') return authRevision === OF_THE_MEMBER ? undefined : 'USER_EMPTY';
    const own = this.#users.get(username);
    if (own === undefined) return 'USER_NOT_FOUND';
    return own.has(ROOT) ? undefined : 'PERMISSION_DENIED';
  }

  #has(user: string, needs: readonly Need[]): boolean {
    const own = this.#users.get(user);
    if (own === undefined) return false;
    if (own.has(ROOT)) return true;
    const grants = [...own].flatMap((role) => this.#roles.get(role) ?? []);
    return needs.every((need) => isCovered(need, grants));
  }
}

function needsOf(request: OperationRequest): readonly Need[] {
  switch (request.kind) {
    case 'range':
    case 'put':
    case 'deleteRange':
      return needsOfOne(request);
    case 'txn': {
      const { compare, success, failure } = request.request;
      const looks = compare.map((one): Need => ({ ...one, access: 'read' }));
      return [...looks, ...[...success, ...failure].flatMap(needsOfOperation)];
    }
    default:
      return [];
  }
}

function needsOfOne(
  request: Extract<OperationRequest, { kind: 'range' | 'put' | 'deleteRange' }>,
): readonly Need[] {
  if (request.kind === 'range') return [{ ...request.request, access: 'read' }];
  const { key, prevKv } = request.request;
  const rangeEnd = request.kind === 'put' ? new Uint8Array(0) : request.request.rangeEnd;
  const write: Need = { access: 'write', key, rangeEnd };
  return prevKv ? [write, { ...write, access: 'read' }] : [write];
}

function needsOfOperation({ request }: RequestOp): readonly Need[] {
  switch (request?.$case) {
    case 'requestRange':
      return needsOfOne({ kind: 'range', request: request.value });
    case 'requestPut':
      return needsOfOne({ kind: 'put', request: request.value });
    case 'requestDeleteRange':
      return needsOfOne({ kind: 'deleteRange', request: request.value });
    case 'requestTxn':
      return needsOf({ kind: 'txn', request: request.value });
    case undefined:
      return [];
  }
}

/** Whether the grants together cover every key of the range: none may be left between two of them. */
function isCovered({ access, key, rangeEnd }: Need, grants: readonly Grant[]): boolean {
  const wanted = access === 'read' ? READ : WRITE;
  const parts = grants
    .filter(({ permType }) => permType === wanted || permType > WRITE)
    .map((grant) => ({ from: toLatin1(grant.key), to: endOf(grant) }))
    .sort((a, b) => (a.from < b.from ? -1 : 1));
  const end = endOf({ key, rangeEnd });
  let at = toLatin1(key);
  for (const { from, to } of parts) {
    if (from > at) break;
    if (to === undefined) return true;
    if (to > at) at = to;
  }
  return end !== undefined && at >= end;
}

function endOf({
  key,
  rangeEnd,
}: {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}): string | undefined {
  return rangeLimits(toLatin1(key), toLatin1(rangeEnd));
}
