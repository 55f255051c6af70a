import { InteractionInterpreter } from './commands.ts';
import { ConfChangeInterpreter } from './conf-change-interpreter.ts';
import { QuorumInterpreter } from './quorum-interpreter.ts';
import type { TranscriptInterpreter } from './transcript.ts';

/** The folders of etcd's test data, each with commands of its own. */
export const TRANSCRIPT_KINDS = ['interaction', 'quorum', 'confchange'] as const;
/** One of them. */
export type TranscriptKind = (typeof TRANSCRIPT_KINDS)[number];

/** A fresh interpreter for one file of a folder. */
export function interpreterFor(kind: TranscriptKind): TranscriptInterpreter {
  switch (kind) {
    case 'quorum':
      return new QuorumInterpreter();
    case 'confchange':
      return new ConfChangeInterpreter();
    default:
      return new InteractionInterpreter();
  }
}
