/** Commands that ask a node for something: elections, proposals, changes, transfers, reads, time. */
import { EMPTY_BYTES, utf8 } from '@etcd-ts/base';
import type { ConfigChange, Input, Outcome } from '../index.ts';
import type { Command } from './commands.ts';
import { ELECTION_TIMEOUT_TICKS } from './commands-cluster.ts';
import { parseChange } from './conf-change-text.ts';
import { describeConfig } from './describe.ts';
import type { TranscriptEnvironment } from './environment.ts';
import type { TranscriptNode } from './node.ts';

type Refused = Outcome & { readonly kind: 'refused' };

/** What etcd answers to any request that it does not take. */
const PROPOSAL_DROPPED = 'raft proposal dropped';

const campaign: Command = (env, args) => {
  env.node(args.idAt(0)).step({ type: 'campaign' });
};

/** `propose i text` */
const propose: Command = (env, args) => {
  const node = env.node(args.idAt(0));
  const data = utf8(args.at(1));
  const token = env.token(`propose ${args.at(1)}`);
  const refused = env.refusalOf(token, () => {
    node.step({ type: 'propose', proposals: [{ token, data }] });
  });
  if (refused !== undefined) printDropped(env, node, refused);
};

function printDropped(env: TranscriptEnvironment, node: TranscriptNode, refused: Refused): void {
  if (refused.reason === 'noLeader') {
    const id = node.id.toString(16);
    env.output.log('info', `${id} no leader at term ${node.view.term}; dropping proposal`);
  }
  env.output.print(PROPOSAL_DROPPED);
}

/** `propose-conf-change i [v1=bool] [transition=…]`, the steps in the input. */
const proposeConfChange: Command = (env, args, input) => {
  const node = env.node(args.idAt(0));
  const change = parseChange(input, {
    v1: args.flag('v1'),
    transition: parseTransition(args.text('transition') ?? 'auto'),
  });
  const token = env.token(`change ${input === '' ? 'leave' : input}`);
  const refused = env.refusalOf(token, () => {
    node.step({ type: 'changeConfig', token, change });
  });
  if (refused === undefined) return;
  if (refused.reason !== 'changePending' && refused.reason !== 'changeIllegal') {
    printDropped(env, node, refused);
    return;
  }
  if (!env.showsOutcomes) replaceRefused(env, node, change, refused);
};

/** etcd answers nothing to a change that it refuses: it logs why and appends an empty entry instead. */
function replaceRefused(
  env: TranscriptEnvironment,
  node: TranscriptNode,
  change: ConfigChange,
  refused: Refused,
): void {
  env.output.log(
    'info',
    `${node.id.toString(16)} ignoring conf change ${describeProposedChange(change)} ` +
      `at config ${describeConfig(node.confState)}: ${refused.detail ?? refused.reason}`,
  );
  const token = env.token('replaced change');
  node.step({ type: 'propose', proposals: [{ token, data: EMPTY_BYTES }] });
}

const CHANGE_TYPES: Readonly<Record<ConfigChange['steps'][number]['op'], string>> = {
  addVoter: 'ConfChangeAddNode',
  addLearner: 'ConfChangeAddLearnerNode',
  remove: 'ConfChangeRemoveNode',
  update: 'ConfChangeUpdateNode',
};

const TRANSITIONS: Readonly<Record<ConfigChange['transition'], string>> = {
  auto: 'ConfChangeTransitionAuto',
  implicit: 'ConfChangeTransitionJointImplicit',
  explicit: 'ConfChangeTransitionJointExplicit',
};

function describeProposedChange(change: ConfigChange): string {
  const steps = change.steps.map(
    (step) => ` changes:{type:${CHANGE_TYPES[step.op]} node_id:${step.node}}`,
  );
  return `transition:${TRANSITIONS[change.transition]}${steps.join('')}`;
}

function parseTransition(text: string): ConfigChange['transition'] {
  if (text === 'auto' || text === 'implicit' || text === 'explicit') return text;
  throw new Error(`unknown transition ${text}`);
}

const forgetLeader: Command = (env, args) => {
  env.node(args.idAt(0)).step({ type: 'forgetLeader' });
};

/** `transfer-leadership from=i to=j` */
const transferLeadership: Command = (env, args) => {
  const [from] = args.ids('from');
  const [target] = args.ids('to');
  if (from === undefined || target === undefined) throw new Error('from and to are needed');
  const token = env.token(`transfer to ${target}`);
  env.node(from).step({ type: 'transfer', token, target });
};

/** `report-unreachable i j` */
const reportUnreachable: Command = (env, args) => {
  env.node(args.idAt(0)).step({ type: 'unreachable', peer: args.idAt(1) });
};

/** `snapshot-report i j ok=bool`: how sending a snapshot to j ended (ours). */
const snapshotReport: Command = (env, args) => {
  const node = env.node(args.idAt(0));
  const to = args.idAt(1);
  const index = args.count('index') ?? node.storage.newestSnapshot.index;
  node.step({ type: 'snapshotReport', to, index, ok: args.flag('ok') });
};

/** `read i name`: asks for a read index (ours). */
const read: Command = (env, args) => {
  const token = env.token(`read ${args.at(1)}`);
  env.node(args.idAt(0)).step({ type: 'read', token });
};

/** `persisted i group`: acknowledges a group, however late or often (ours). */
const persisted: Command = (env, args) => {
  env.node(args.idAt(0)).step({ type: 'persisted', group: args.countAt(1) });
};

/** `applied i index`: acknowledges applied entries, however late or often (ours). */
const applied: Command = (env, args) => {
  env.node(args.idAt(0)).step({ type: 'applied', index: args.countAt(1) });
};

function tick(count: number): Command {
  const input: Input = { type: 'tick' };
  return (env, args) => {
    const node = env.node(args.idAt(0));
    for (let ticks = 0; ticks < count; ticks++) node.step(input);
  };
}

/** `set-randomized-election-timeout i timeout=k`: until the node draws a new one. */
const setElectionTimeout: Command = (env, args) => {
  const ticks = args.count('timeout');
  if (ticks === undefined) throw new Error('timeout is needed');
  env.node(args.idAt(0)).view.setElectionTimeout(ticks);
};

/** Commands by name. */
export const REQUEST_COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['campaign', campaign],
  ['propose', propose],
  ['propose-conf-change', proposeConfChange],
  ['forget-leader', forgetLeader],
  ['transfer-leadership', transferLeadership],
  ['report-unreachable', reportUnreachable],
  ['snapshot-report', snapshotReport],
  ['read', read],
  ['persisted', persisted],
  ['applied', applied],
  ['tick-heartbeat', tick(1)],
  ['tick-election', tick(ELECTION_TIMEOUT_TICKS)],
  ['set-randomized-election-timeout', setElectionTimeout],
]);
