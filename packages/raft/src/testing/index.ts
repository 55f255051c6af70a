export { INTERACTION_COMMANDS, InteractionInterpreter } from './commands.ts';
export { ConfChangeInterpreter } from './conf-change-interpreter.ts';
export {
  type Argument,
  type Directive,
  parseTranscript,
  TranscriptSyntaxError,
} from './directive.ts';
export { type Exploration, ExplorationFailure, explore } from './explore/explorer.ts';
export { type Scope, SCOPES } from './explore/scope.ts';
export { interpreterFor, TRANSCRIPT_KINDS, type TranscriptKind } from './folder.ts';
export { QuorumInterpreter } from './quorum-interpreter.ts';
export { planFor, SIM_EVENTS, type SimEvent, type SimPlan } from './sim/plan.ts';
export { HEALING_TICKS_MAX } from './sim/healing.ts';
export { SimFailure, type SimReport, Simulation } from './sim/simulation.ts';
export {
  protocolOnly,
  runTranscript,
  type TranscriptInterpreter,
  type TranscriptMismatch,
  type TranscriptResult,
} from './transcript.ts';
