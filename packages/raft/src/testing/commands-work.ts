/** Commands that let nodes work and messages move, in order or not, and that take nodes down. */
import type { NodeId } from '../index.ts';
import type { Arguments } from './arguments.ts';
import type { Command } from './commands.ts';
import { describeReady } from './ready.ts';
import type { TranscriptEnvironment } from './environment.ts';
import type { TranscriptNode } from './node.ts';
import { parseLogLevel } from './output.ts';
import { isLocal, type WireMessage } from './wire-message.ts';

/** One node's work as it is; that of several each under a title, indented. */
function forEachNode(
  env: TranscriptEnvironment,
  ids: readonly NodeId[],
  title: string,
  body: (node: TranscriptNode) => void,
): void {
  for (const id of ids) {
    const node = env.node(id);
    if (ids.length === 1) {
      body(node);
      continue;
    }
    env.output.print(`> ${id} ${title}`);
    env.output.indented(() => body(node));
  }
}

/** `process-ready i… [crash=before-store|before-send]`: the crash is ours. */
const processReady: Command = (env, args) => {
  const crash = args.text('crash');
  forEachNode(env, args.bareIds, 'handling Ready', (node) => {
    if (crash === undefined) env.processReady(node);
    else crashInReady(env, node, crash);
  });
};

/** The node goes down in the middle of its turn: with nothing written, or written but nothing sent. */
function crashInReady(env: TranscriptEnvironment, node: TranscriptNode, moment: string): void {
  if (moment !== 'before-store' && moment !== 'before-send') {
    throw new Error(`crash is before-store or before-send: ${moment}`);
  }
  const ready = node.takeReady();
  env.output.print(describeReady(ready));
  if (moment === 'before-send') node.store(ready.hardState, ready.snapshot, ready.entries);
  node.restart();
}

const processAppendThread: Command = (env, args) => {
  forEachNode(env, args.bareIds, 'processing append thread', (node) => {
    env.processAppendThread(node);
  });
};

const processApplyThread: Command = (env, args) => {
  forEachNode(env, args.bareIds, 'processing apply thread', (node) => {
    env.processApplyThread(node);
  });
};

/** `deliver-msgs [id…] [drop=(id,…)] [type=MsgX]` */
const deliver: Command = (env, args) => {
  const recipients = [
    ...args.bareIds.map((id) => ({ id, drop: false })),
    ...args.ids('drop').map((id) => ({ id, drop: true })),
  ];
  const type = args.text('type');
  const wanted = (message: WireMessage): boolean => type === undefined || message.type === type;
  if (env.deliver(recipients, wanted) === 0) env.output.print('no messages');
};

/** `stabilize [id…] [log-level=X]`: the level holds for this command alone. */
const stabilize: Command = (env, args) => {
  const ids = args.bareIds;
  const outer = env.output.level;
  const level = args.text('log-level');
  if (level !== undefined) env.output.level = parseLogLevel(level);
  try {
    env.stabilize(ids.length === 0 ? env.nodes : ids.map((id) => env.node(id)));
  } finally {
    env.output.level = outer;
  }
};

/** Messages that cross the network and match `from=`, `to=`, `type=`; each may be left out. */
function selection(args: Arguments): (message: WireMessage) => boolean {
  const from = args.ids('from');
  const to = args.ids('to');
  const type = args.text('type');
  return (message) =>
    !isLocal(message) &&
    (from.length === 0 || from.includes(message.from)) &&
    (to.length === 0 || to.includes(message.to)) &&
    (type === undefined || message.type === type);
}

/** `duplicate-msgs [from=] [to=] [type=]`: each comes once more, after all others (ours). */
const duplicate: Command = (env, args) => {
  env.messages.push(...env.messages.filter(selection(args)));
};

/** `reverse-msgs`: the last message sent comes first (ours). */
const reverse: Command = (env) => {
  env.messages.reverse();
};

/** `hold-msgs [from=] [to=] [type=]`: they wait in the network until released (ours). */
const hold: Command = (env, args) => {
  const isHeld = selection(args);
  env.held.push(...env.messages.filter(isHeld));
  env.messages = env.messages.filter((message) => !isHeld(message));
};

/** `release-msgs`: all held messages are on their way again, after the others (ours). */
const release: Command = (env) => {
  env.messages.push(...env.held.splice(0));
};

/** `drop-msgs [from=] [to=] [type=]`: they are lost (ours). */
const drop: Command = (env, args) => {
  const isLost = selection(args);
  env.messages = env.messages.filter((message) => !isLost(message));
};

/** `crash i…`: the node loses what is not stored and starts again at once (ours). */
const crash: Command = (env, args) => {
  for (const id of args.bareIds) env.node(id).restart();
};

/** `lose-entries i k`: i's disk lost its entries from k on, and i starts again (ours). */
const loseEntries: Command = (env, args) => {
  const node = env.node(args.idAt(0));
  node.storage.lose(args.countAt(1));
  node.restart();
};

/** `outcomes on|off`: whether outcomes and notices are printed (ours). */
const outcomes: Command = (env, args) => {
  env.showsOutcomes = args.at(0) === 'on';
};

/** Commands by name. */
export const WORK_COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['process-ready', processReady],
  ['process-append-thread', processAppendThread],
  ['process-apply-thread', processApplyThread],
  ['deliver-msgs', deliver],
  ['stabilize', stabilize],
  ['duplicate-msgs', duplicate],
  ['reverse-msgs', reverse],
  ['hold-msgs', hold],
  ['release-msgs', release],
  ['drop-msgs', drop],
  ['crash', crash],
  ['lose-entries', loseEntries],
  ['outcomes', outcomes],
]);
