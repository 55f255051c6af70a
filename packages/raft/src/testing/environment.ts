import { must, unreachable } from '@etcd-ts/base';
import type {
  ConfState,
  Effect,
  HaltEffect,
  LogIndex,
  NodeId,
  NoticeEffect,
  Outcome,
  OutcomeEffect,
  RaftInitialState,
  Token,
} from '../index.ts';
import { BOOTSTRAP_TERM } from './bootstrap.ts';
import { describeMessage } from './describe.ts';
import { type NodeOptions, TranscriptNode } from './node.ts';
import { TranscriptOutput } from './output.ts';
import { describeReady } from './ready.ts';
import { isLocal, isResponse, type WireMessage } from './wire-message.ts';

/** How nodes begin that are added by one command. */
export interface BootstrapOptions {
  readonly index: LogIndex;
  readonly confState: ConfState;
}

/** Who is to get messages, and whether they are lost instead. */
export interface Recipient {
  readonly id: NodeId;
  readonly drop: boolean;
}

/**
 * The world of one transcript: nodes, messages in flight in one first-in first-out list, printed output.
 *
 * Node ids are 1 to n in the order of creation. Nothing happens but by a command.
 */
export class TranscriptEnvironment {
  readonly output: TranscriptOutput = new TranscriptOutput();
  readonly nodes: TranscriptNode[] = [];
  messages: WireMessage[] = [];
  /** Messages that the network keeps back until they are released. */
  readonly held: WireMessage[] = [];
  /** Prints outcomes and notices as they come. Off for etcd's files, which know neither. */
  showsOutcomes = false;
  readonly #requests = new Map<Token, string>();
  #nextToken = 1;
  #refused: OutcomeEffect | undefined;

  /** Adds a node and returns it. `options` makes its configuration from its id. */
  addNode(options: (id: NodeId) => NodeOptions, bootstrap: BootstrapOptions): TranscriptNode {
    const id = BigInt(this.nodes.length + 1);
    const initial: RaftInitialState = {
      hardState: { term: 0, vote: 0n, commit: bootstrap.index },
      snapshotIndex: bootstrap.index,
      snapshotTerm: BOOTSTRAP_TERM,
      confState: bootstrap.confState,
      entries: [],
      applied: bootstrap.index,
    };
    const node = new TranscriptNode(options(id), initial, {
      log: (level, text) => this.output.log(level, text),
      effect: (from, effect) => this.#report(from, effect),
    });
    this.nodes.push(node);
    return node;
  }

  /** Throws when there is no such node. */
  node(id: NodeId): TranscriptNode {
    const node = this.nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  /** A token for a request, with the name by which its outcomes are printed. */
  token(name: string): Token {
    const token = this.#nextToken++;
    this.#requests.set(token, name);
    return token;
  }

  /** Runs `body` and returns the refusal of the request with this token, if there was one. */
  refusalOf(token: Token, body: () => void): (Outcome & { readonly kind: 'refused' }) | undefined {
    this.#refused = undefined;
    body();
    const refused = this.#refused as OutcomeEffect | undefined;
    if (refused === undefined || refused.token !== token) return undefined;
    return refused.outcome.kind === 'refused' ? refused.outcome : undefined;
  }

  #report(node: TranscriptNode, effect: Effect): void {
    const id = node.id.toString(16);
    switch (effect.type) {
      case 'outcome':
        if (effect.outcome.kind === 'refused') this.#refused = effect;
        if (!this.showsOutcomes) return;
        this.output.report(
          `OUTCOME ${id} ${must(this.#requests.get(effect.token), `request ${effect.token}`)}: ` +
            describeOutcome(effect.outcome),
        );
        return;
      case 'notice':
        if (this.showsOutcomes) this.output.report(describeNotice(id, effect));
        return;
      case 'halt':
        this.output.report(describeHalt(id, effect));
        return;
      default:
        return;
    }
  }

  /** Takes a node's Ready, prints it, stores, applies and sends what it holds. */
  processReady(node: TranscriptNode): void {
    const ready = node.takeReady();
    this.output.print(describeReady(ready));
    if (node.options.asyncStorage) {
      for (const message of ready.messages) {
        if (message.type === 'MsgStorageAppend') node.appendWork.push(message);
        else if (message.type === 'MsgStorageApply') node.applyWork.push(message);
        else this.messages.push(message);
      }
      return;
    }
    node.store(ready.hardState, ready.snapshot, ready.entries);
    this.messages.push(...ready.messages);
    node.advance(ready);
  }

  /** Writes the oldest append work of a node and lets its answers go. */
  processAppendThread(node: TranscriptNode): void {
    const work = node.appendWork.shift();
    if (work === undefined) {
      this.output.print('no append work to perform');
      return;
    }
    this.#printWork(work, () => {
      const hasHardState = work.term !== 0 || work.vote !== 0n || work.commit !== 0;
      const hardState = { term: work.term, vote: work.vote, commit: work.commit };
      node.store(hasHardState ? hardState : undefined, work.snapshot, work.entries);
      const { delivery } = work;
      const isAnswered = work.responses.some((response) => isLocal(response));
      if (!isAnswered && delivery.kind === 'stable') {
        node.step({ type: 'persisted', group: delivery.group });
      }
    });
  }

  /** Applies the oldest apply work of a node and lets its answers go. */
  processApplyThread(node: TranscriptNode): void {
    const work = node.applyWork.shift();
    if (work === undefined) {
      this.output.print('no apply work to perform');
      return;
    }
    this.#printWork(work, () => node.applyEntries(work.entries));
  }

  #printWork(work: WireMessage, perform: () => void): void {
    this.output.print('Processing:');
    this.output.print(describeMessage({ ...work, responses: [] }));
    perform();
    this.output.print('Responses:');
    for (const response of work.responses) this.output.print(describeMessage(response));
    this.messages.push(...work.responses);
  }

  /** Delivers or drops messages, recipient by recipient; returns how many there were. */
  deliver(
    recipients: readonly Recipient[],
    wanted: (message: WireMessage) => boolean = () => true,
  ): number {
    let count = 0;
    for (const recipient of recipients) {
      const matches = (message: WireMessage): boolean =>
        message.to === recipient.id && !(recipient.drop && isLocal(message)) && wanted(message);
      const messages = this.messages.filter(matches);
      this.messages = this.messages.filter((message) => !matches(message));
      for (const message of messages) this.#deliverOne(recipient, message);
      count += messages.length;
    }
    return count;
  }

  #deliverOne(recipient: Recipient, message: WireMessage): void {
    if (recipient.drop) {
      this.output.print(`dropped: ${describeMessage(message)}`);
      return;
    }
    this.output.print(describeMessage(message));
    const node = this.node(recipient.id);
    const isUnknown =
      isResponse(message.type) && !isLocal(message) && !node.view.tracks(message.from);
    node.receive(message);
    if (isUnknown) this.output.print('raft: cannot step as peer not found');
  }

  /** Lets the given nodes work, in order, until none has anything left to do. */
  stabilize(nodes: readonly TranscriptNode[]): void {
    let rounds = 0;
    while (this.#round(nodes)) {
      rounds++;
      if (rounds > STABILIZE_ROUNDS_MAX) throw new Error(`not stable after ${rounds} rounds`);
    }
  }

  #round(nodes: readonly TranscriptNode[]): boolean {
    let worked = false;
    const step = (node: TranscriptNode, title: string, body: () => void): void => {
      worked = true;
      this.output.print(`> ${node.id} ${title}`);
      this.output.indented(body);
    };
    for (const node of nodes) {
      if (node.hasReady()) step(node, 'handling Ready', () => this.processReady(node));
    }
    for (const node of nodes) {
      if (this.messages.some((message) => message.to === node.id)) {
        step(node, 'receiving messages', () => this.deliver([{ id: node.id, drop: false }]));
      }
    }
    for (const node of nodes) {
      if (node.appendWork.length === 0) continue;
      step(node, 'processing append thread', () => {
        while (node.appendWork.length > 0) this.processAppendThread(node);
      });
    }
    for (const node of nodes) {
      if (node.applyWork.length === 0) continue;
      step(node, 'processing apply thread', () => {
        while (node.applyWork.length > 0) this.processApplyThread(node);
      });
    }
    return worked;
  }
}

/** A transcript whose nodes never come to rest is wrong; this ends it. */
const STABILIZE_ROUNDS_MAX = 1000;

function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'accepted':
    case 'committed':
    case 'lost':
    case 'unknown':
      return `${outcome.kind} ${outcome.term}/${outcome.index}`;
    case 'refused': {
      const leader = outcome.leader === 0n ? '' : ` leader=${outcome.leader}`;
      const detail = outcome.detail === undefined ? '' : ` (${outcome.detail})`;
      return `refused ${outcome.reason}${leader}${detail}`;
    }
    case 'readable':
      return `readable at ${outcome.index}`;
    case 'transferred':
      return 'transferred';
    default:
      return unreachable(outcome);
  }
}

function describeNotice(id: string, notice: NoticeEffect): string {
  const peer = notice.peer === 0n ? '' : ` from ${notice.peer}`;
  return `NOTICE ${id} ${notice.code}${peer}: ${notice.detail}`;
}

function describeHalt(id: string, halt: HaltEffect): string {
  return `HALT ${id} ${halt.reason}`;
}
