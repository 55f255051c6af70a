import { must } from '@etcd-ts/base';
import {
  type ConfChangeResult,
  EMPTY_CONF,
  enterJoint,
  leaveJoint,
  membersOf,
  simpleChange,
} from '../conf-change.ts';
import type { ConfState, LogIndex, NodeId } from '../index.ts';
import { Progress } from '../progress.ts';
import { peerProgress } from '../status.ts';
import { Arguments } from './arguments.ts';
import { parseSteps } from './conf-change-text.ts';
import { describeConfig } from './describe.ts';
import type { Directive } from './directive.ts';
import { describeProgress } from './progress-text.ts';
import type { TranscriptInterpreter } from './transcript.ts';

const WINDOW = { maxInflightMessages: 10, maxInflightBytes: 0 };

/**
 * Runs etcd's `confchange` files: what becomes of a configuration and of its members' progress.
 *
 * The last index grows by one with every command, so that `next` tells in which one a member came.
 */
export class ConfChangeInterpreter implements TranscriptInterpreter {
  #conf: ConfState = EMPTY_CONF;
  #members = new Map<NodeId, Progress>();
  #lastIndex: LogIndex = 0;

  run(directive: Directive): string {
    const lastIndex = this.#lastIndex++;
    const result = this.#change(directive);
    if (!result.ok) return result.reason;
    this.#conf = result.conf;
    this.#keepMembers(lastIndex);
    const lines = [...this.#members.values()].map(
      (progress) => `${progress.id}: ${describeProgress(peerProgress(progress))}`,
    );
    return [describeConfig(this.#conf), ...lines].join('\n');
  }

  #change(directive: Directive): ConfChangeResult {
    const steps = parseSteps(directive.input);
    switch (directive.command) {
      case 'simple':
        return simpleChange(this.#conf, steps);
      case 'enter-joint':
        return enterJoint(this.#conf, steps, new Arguments(directive).flag('autoleave'));
      case 'leave-joint':
        if (steps.length > 0) throw new Error('this command takes no input');
        return leaveJoint(this.#conf);
      default:
        throw new Error(`unknown command ${directive.command}`);
    }
  }

  /** Members that stay keep their progress; new ones begin at the last index. */
  #keepMembers(lastIndex: LogIndex): void {
    const before = this.#members;
    this.#members = new Map();
    for (const id of membersOf(this.#conf)) {
      const isLearner = this.#conf.learners.includes(id);
      if (!before.has(id)) {
        const next = Math.max(lastIndex, 1);
        before.set(id, new Progress(id, { next, session: lastIndex, isLearner }, WINDOW));
      }
      const progress = must(before.get(id), `progress of ${id}`);
      progress.isLearner = isLearner;
      progress.isRecentlyActive = true;
      this.#members.set(id, progress);
    }
  }
}
