/** What operators do while the cluster works, wisely or not (A2 to A6), and changes of its members (M1 to M6). */
import { AlarmAction, AlarmType } from '@etcd-ts/protocol';
import { checkHashes } from '../cluster/hash-check.ts';
import { checkBackup } from '../cluster/backup.ts';
import type { AdminFault } from '../plan/planned-fault.ts';
import { NOTHING, type Scene, type Undo } from './scene.ts';

/** Lets something be done to the cluster. */
export function beginAdminFault(scene: Scene, fault: AdminFault): Undo {
  const { cluster, operator } = scene;
  switch (fault.kind) {
    case 'transfer':
      void transfer(scene, fault.target);
      return NOTHING;
    case 'defragment': {
      const { door } = cluster.resolve(fault.target);
      void door?.channel.unary('etcdserverpb.Maintenance/Defragment', {}).catch(NOTHING);
      return NOTHING;
    }
    case 'hashCheck':
      void operator.aside('hash check', () => checkHashes(cluster));
      return NOTHING;
    case 'backup':
      void operator.aside('backup', () =>
        checkBackup(cluster, cluster.resolve(fault.target), scene.count),
      );
      return NOTHING;
    case 'alarm':
      return beginAlarm(scene, fault);
    case 'auth':
      void operator.aside('auth on', () => operator.auth.enable());
      return () => void operator.aside('auth off', () => operator.auth.disable());
    case 'replace':
      // Two at a time would leave no majority.
      if (cluster.members.some((each) => each.isRotten)) return NOTHING;
      operator.replace(cluster.resolve(fault.target), fault.asLearner);
      return NOTHING;
    case 'grow': {
      const member = operator.grow(fault.asLearner);
      if (fault.handsOver) void transfer(scene, 1 + scene.random.below(cluster.members.length));
      return () => operator.shrink(member);
    }
  }
}

async function transfer({ cluster }: Scene, target: number): Promise<void> {
  const { leader } = cluster;
  const { node } = cluster.member(target);
  if (leader === undefined || node === undefined) return;
  const request = { targetID: node.memberId };
  // A transfer may fail; leadership stays where it is, or goes wherever an election takes it.
  await leader.door?.channel
    .unary('etcdserverpb.Maintenance/MoveLeader', request)
    .then(NOTHING, NOTHING);
}

function beginAlarm(
  { cluster, operator, count }: Scene,
  { target }: Extract<AdminFault, { kind: 'alarm' }>,
): Undo {
  const memberID = cluster.resolve(target).id;
  if (memberID === 0n) return NOTHING;
  const alarm = AlarmType.NOSPACE;
  const set = (action: number) => async (): Promise<void> => {
    await operator.insist('etcdserverpb.Maintenance/Alarm', { action, memberID, alarm });
    count(action === AlarmAction.ACTIVATE ? 'alarms raised' : 'alarms put out');
  };
  const raised = operator.aside('alarm on', set(AlarmAction.ACTIVATE));
  return () => void operator.aside('alarm off', () => raised.then(set(AlarmAction.DEACTIVATE)));
}
