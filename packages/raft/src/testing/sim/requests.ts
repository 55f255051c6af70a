import { assert, must } from '@etcd-ts/base';
import type { LogIndex, Outcome, Token } from '../../index.ts';
import type { Ghost } from './ghost.ts';

interface Request {
  readonly kind: 'propose' | 'change' | 'read' | 'transfer';
  readonly node: string;
  /** What must be found at the committed index; of proposals only. */
  readonly payload: string | undefined;
  readonly committedAtStart: LogIndex;
  outcome: Outcome | undefined;
}

/**
 * Every request and what became of it.
 *
 * Invariants: one answer per request (after `accepted` one more); what is answered as committed is; what is
 * answered as lost never is; a request to a node that stays up is answered.
 */
export class Requests {
  readonly #ghost: Ghost;
  readonly #requests = new Map<Token, Request>();
  readonly #open = new Set<Token>();
  readonly #outcomes = new Map<Outcome['kind'], number>();
  #next: Token = 1;

  constructor(ghost: Ghost) {
    this.#ghost = ghost;
  }

  get outcomes(): ReadonlyMap<Outcome['kind'], number> {
    return this.#outcomes;
  }

  /**
   * Requests that still wait for an answer which they must get.
   *
   * Nobody tells a node that was removed what became of the entries behind its removal: what was accepted
   * there may stay so.
   */
  openAt(isMember: (node: string) => boolean): readonly string[] {
    const open: string[] = [];
    for (const token of this.#open) {
      const { kind, node, outcome } = this.#request(token);
      if (outcome !== undefined && !isMember(node)) continue;
      open.push(`${kind} ${token} at ${node}${outcome === undefined ? '' : ` (${outcome.kind})`}`);
    }
    return open;
  }

  propose(node: string, data: Uint8Array): Token {
    return this.#add('propose', node, `command ${data.join(',')}`);
  }

  change(node: string): Token {
    return this.#add('change', node, undefined);
  }

  read(node: string): Token {
    return this.#add('read', node, undefined);
  }

  transfer(node: string): Token {
    return this.#add('transfer', node, undefined);
  }

  #add(kind: Request['kind'], node: string, payload: string | undefined): Token {
    const token = this.#next++;
    const committedAtStart = this.#ghost.commit;
    this.#requests.set(token, { kind, node, payload, committedAtStart, outcome: undefined });
    this.#open.add(token);
    return token;
  }

  #request(token: Token): Request {
    return must(this.#requests.get(token), `request ${token}`);
  }

  /** The node went down: what it owed nobody will hear of. */
  crashed(node: string): void {
    for (const token of this.#open)
      if (this.#request(token).node === node) this.#open.delete(token);
  }

  isCommitted(token: Token): boolean {
    return this.#request(token).outcome?.kind === 'committed';
  }

  isPendingOrCommitted(token: Token): boolean {
    return this.#open.has(token) || this.isCommitted(token);
  }

  outcome(node: string, token: Token, outcome: Outcome): void {
    const request = this.#request(token);
    assert(request.node === node, () => `${node} answers request ${token} of ${request.node}`);
    assert(
      request.outcome === undefined || request.outcome.kind === 'accepted',
      () => `request ${token} is answered twice: ${request.outcome?.kind}, then ${outcome.kind}`,
    );
    request.outcome = outcome;
    this.#outcomes.set(outcome.kind, (this.#outcomes.get(outcome.kind) ?? 0) + 1);
    if (outcome.kind !== 'accepted') this.#open.delete(token);
    this.#check(token, request, outcome);
  }

  #check(token: Token, request: Request, outcome: Outcome): void {
    if (outcome.kind === 'readable') {
      assert(request.kind === 'read', () => `request ${token} is no read`);
      this.#ghost.readable(request.node, outcome.index, request.committedAtStart);
    }
    if (outcome.kind === 'committed') {
      const { index, term } = outcome;
      assert(
        index <= this.#ghost.commit && this.#ghost.committedTerm(index) === term,
        () => `R8: request ${token} is answered as committed at ${term}/${index}, which is not`,
      );
      const payload = this.#ghost.committedPayload(index);
      assert(
        request.payload === undefined || payload === request.payload,
        () => `request ${token} is answered as committed, but "${payload}" is at ${index}`,
      );
    }
    if (outcome.kind === 'lost') {
      const { index, term } = outcome;
      assert(
        this.#ghost.committedTerm(index) !== term,
        () => `request ${token} is answered as lost, but ${term}/${index} is committed`,
      );
    }
  }
}
