/** Chooses and builds the engine that the options ask for. */
import { type Message, RaftCore, type SnapshotMessage } from '@etcd-ts/raft';
import type { Storage } from '../bootstrap/storage.ts';
import type { Env } from '../env.ts';
import type { ResolvedOptions } from '../options.ts';
import type { PeerTransport } from '../peers/peer-transport.ts';
import type { Consensus } from './consensus.ts';
import { RaftConsensus } from './raft-consensus.ts';
import { SingleWriterConsensus } from './single-writer-consensus.ts';

/** Entries that are applied in one turn, in bytes: what keeps a member that catches up answering meanwhile. */
const MAX_PAGE_BYTES: number = 128 * 1024;

/** An engine and what comes in for it from peers. */
export interface Engine {
  readonly consensus: Consensus;
  receive(messages: readonly Message[]): void;
  unreachable(peer: bigint): void;
  receiveSnapshot(message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void>;
}

/** What engines are made of. */
export interface EngineParts {
  readonly env: Env;
  readonly options: ResolvedOptions;
  readonly storage: Storage;
  readonly transport: PeerTransport;
}

/** The engine of a node. */
export function createEngine(parts: EngineParts): Engine {
  return parts.options.engine === 'raft' ? raft(parts) : singleWriter(parts);
}

function raft({ env, options, storage, transport }: EngineParts): Engine {
  const electionTimeoutTicks = Math.floor(options.electionTimeoutMs / options.heartbeatIntervalMs);
  const core = new RaftCore(
    {
      id: storage.memberId,
      electionTimeoutTicks,
      heartbeatTicks: 1,
      preVote: options.preVote,
      checkQuorum: true,
      quietCommits: true,
      maxApplyBytes: MAX_PAGE_BYTES,
      seed: env.random.uint32(),
    },
    storage.initial,
  );
  const consensus = new RaftConsensus({
    core,
    wal: storage.wal,
    transport,
    clock: env.clock,
    log: env.log,
    tickMs: options.heartbeatIntervalMs,
    advanceTicks: options.initialElectionTickAdvance ? electionTimeoutTicks - 1 : 0,
  });
  return {
    consensus,
    receive: (messages) => consensus.receive(messages),
    unreachable: (peer) => consensus.unreachable(peer),
    receiveSnapshot: (message, chunks) => consensus.receiveSnapshot(message, chunks),
  };
}

function singleWriter({ env, storage }: EngineParts): Engine {
  const { initial, memberId: id, wal } = storage;
  return {
    consensus: new SingleWriterConsensus({ id, wal, initial, clock: env.clock }),
    receive: () => undefined,
    unreachable: () => undefined,
    receiveSnapshot: () => Promise.reject(new Error('the single-writer engine has no peers')),
  };
}
