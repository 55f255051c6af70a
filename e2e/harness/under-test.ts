import { hasEtcd, realEtcd } from '../../tools/peers/real-etcd.ts';
import { ETCD_TS } from './cluster.ts';

/**
 * The program that the process tests drive: etcd-ts, or real etcd with `E2E_PROGRAM=etcd`, which shows that the tests
 * ask for etcd's behaviour and not for ours.
 */
export function programUnderTest(): readonly string[] {
  if (process.env['E2E_PROGRAM'] !== 'etcd') return ETCD_TS;
  const peers = realEtcd();
  if (!hasEtcd(peers)) throw new Error('E2E_PROGRAM=etcd, but real etcd is not here');
  return [peers.etcd];
}
