// For drivers: the core, what goes in, what comes out, what it shows of itself.
export { RaftCore, type RaftOptions } from './raft-core.ts';
export {
  MAX_ELECTION_TIMEOUT_TICKS,
  type RaftConfig,
  type RaftInitialState,
  type ResolvedConfig,
  resolveConfig,
} from './config.ts';
export {
  type CommandPayload,
  type ConfigChange,
  type ConfigPayload,
  type ConfigStep,
  type ConfState,
  type EmptyPayload,
  type Entry,
  type HardState,
  type LogIndex,
  NO_NODE,
  type NodeId,
  type Payload,
  type SnapshotMeta,
  type Term,
  type Token,
} from './entry.ts';
export type {
  AppliedInput,
  CampaignInput,
  ChangeConfigInput,
  ForgetLeaderInput,
  Input,
  MessageInput,
  PersistedInput,
  Proposal,
  ProposeInput,
  ReadInput,
  SnapshotReportInput,
  SnapshotTakenInput,
  TickInput,
  TransferInput,
  UnreachableInput,
} from './input.ts';
export type {
  ApplyEffect,
  ConfigEffect,
  Effect,
  HaltEffect,
  NoticeEffect,
  Outcome,
  OutcomeEffect,
  PersistEffect,
  Refusal,
  Role,
  RoleEffect,
  SendEffect,
  SendSnapshotEffect,
} from './effect.ts';
export type {
  AppendMessage,
  AppendResponseMessage,
  ForwardMessage,
  ForwardResponseMessage,
  ForwardResult,
  HeartbeatMessage,
  HeartbeatResponseMessage,
  Message,
  ReadRequestMessage,
  ReadResponseMessage,
  SnapshotMessage,
  TimeoutNowMessage,
  VoteMessage,
  VoteResponseMessage,
} from './message.ts';
export type { PeerProgress, RaftStatus } from './status.ts';
export type { ProgressState } from './progress.ts';
export type { TraceEvent, TraceSink, VoteType } from './trace.ts';
export { MAX_UNDECIDED_OUTCOMES } from './forward.ts';
export { ENTRY_OVERHEAD_BYTES } from './log.ts';

// For tests and tools: the algebra that the core is made of, and its checks.
export {
  changeConf,
  type ConfChangeResult,
  enterJoint,
  leaveJoint,
  simpleChange,
} from './conf-change.ts';
export { checkInvariants } from './invariants.ts';
export {
  type AcknowledgedOf,
  jointIndex,
  jointVote,
  majority,
  majorityIndex,
  majorityReached,
  majorityVote,
  type VoteOf,
  type VoteResult,
} from './quorum.ts';
