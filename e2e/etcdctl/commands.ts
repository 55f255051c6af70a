/** The commands of etcdctl 3.4 to 3.7, and where each is shown to work. */

/** Where a command is shown. */
export type Shown =
  /** By a step of the script. */
  | 'script'
  /** By a scene. */
  | 'scene'
  /** By this file, from the root of the repository on. */
  | { readonly file: string }
  /** Not at all, for this reason. */
  | { readonly not: string };

const SCRIPT = 'script';
const SCENE = 'scene';
const DOWNGRADE = { file: 'packages/server/test/services/maintenance.test.ts' };

/** By command. Those that 3.5 has are what its own list says. */
export const COMMANDS: Readonly<Record<string, Shown>> = {
  get: SCRIPT,
  put: SCRIPT,
  del: SCRIPT,
  txn: SCRIPT,
  compaction: SCRIPT,
  watch: SCENE,
  'lease grant': SCRIPT,
  'lease revoke': SCRIPT,
  'lease timetolive': SCRIPT,
  'lease list': SCRIPT,
  'lease keep-alive': SCRIPT,
  'member list': SCRIPT,
  'member add': SCRIPT,
  'member remove': SCRIPT,
  'member update': SCRIPT,
  'member promote': SCRIPT,
  'endpoint health': SCRIPT,
  'endpoint status': SCRIPT,
  'endpoint hashkv': SCRIPT,
  'alarm list': SCRIPT,
  'alarm disarm': SCRIPT,
  defrag: SCRIPT,
  'snapshot save': SCRIPT,
  'snapshot status': SCRIPT,
  'snapshot restore': SCRIPT,
  migrate: { not: 'of etcd 3.4 alone, for data of the v2 API' },
  'move-leader': SCENE,
  'auth enable': SCRIPT,
  'auth disable': SCRIPT,
  'auth status': SCRIPT,
  'user add': SCRIPT,
  'user delete': SCRIPT,
  'user passwd': SCRIPT,
  'user grant-role': SCRIPT,
  'user revoke-role': SCRIPT,
  'user get': SCRIPT,
  'user list': SCRIPT,
  'role add': SCRIPT,
  'role delete': SCRIPT,
  'role get': SCRIPT,
  'role list': SCRIPT,
  'role grant-permission': SCRIPT,
  'role revoke-permission': SCRIPT,
  lock: SCENE,
  elect: SCENE,
  'make-mirror': SCENE,
  'check perf': { file: 'e2e/etcdctl/etcdctl-beside-etcd.test.ts' },
  'check datascale': { file: 'e2e/etcdctl/etcdctl-beside-etcd.test.ts' },
  version: SCRIPT,
  'completion bash': SCRIPT,
  'completion fish': SCRIPT,
  'completion powershell': SCRIPT,
  'completion zsh': SCRIPT,
  help: SCRIPT,
  options: { not: 'of etcd 3.7, and asks no server' },
  'downgrade validate': DOWNGRADE,
  'downgrade enable': DOWNGRADE,
  'downgrade cancel': DOWNGRADE,
};
