/**
 * Every command of etcdctl 3.5, in an order in which each finds something to work on. The same script runs against two
 * clusters; what it prints must be the same.
 */
import {
  AlarmResponse,
  AuthRoleGetResponse,
  AuthRoleListResponse,
  AuthStatusResponse,
  AuthUserGetResponse,
  AuthUserListResponse,
  DeleteRangeResponse,
  MemberListResponse,
  type MessageCodec,
  PutResponse,
  RangeResponse,
  ResponseHeader,
  TxnResponse,
} from '@etcd-ts/protocol';
import type { Side } from './side.ts';

/** Forms of output; `simple` is none given. */
export const FORMATS = ['simple', 'json', 'fields', 'table', 'protobuf'] as const;
export type Format = (typeof FORMATS)[number];

/** One command. */
export interface Step {
  /** `get`, `lease grant` … as spec'd. */
  readonly command: string;
  readonly args: (side: Side, format: Format) => readonly string[];
  readonly input?: string;
  /** @defaultValue all */
  readonly formats?: readonly Format[];
  readonly at?: number | 'all';
  /** Remembers what the pattern's group matches, and hides it. */
  readonly save?: readonly [name: string, pattern: RegExp];
  /** Lines come in an order that is the cluster's own. */
  readonly unordered?: boolean;
  /** Further things that are a server's own. */
  readonly hide?: readonly (readonly [RegExp, string])[];
  /** The message that `-w protobuf` prints. */
  readonly codec?: MessageCodec<never>;
}

type More = Omit<Step, 'command' | 'args'>;

/** A command whose arguments are the same on both sides. */
function step(command: string, args: string | Step['args'], more: More = {}): Step {
  const own = typeof args === 'string' ? () => args.split(' ').filter(Boolean) : args;
  return {
    command,
    args: (side, format) => [...command.split(' '), ...own(side, format)],
    ...more,
  };
}

const codec = (one: unknown): MessageCodec<never> => one as MessageCodec<never>;
const RANGE = { codec: codec(RangeResponse) };
const PUT = { codec: codec(PutResponse) };
const HEADER = { codec: codec(ResponseHeader) };
const SIMPLE_AND_JSON: More = { formats: ['simple', 'json'] };
const SIMPLE: More = { formats: ['simple'] };

const TXN = [
  'value("txn/a") = "1"',
  'mod("txn/a") > "0"',
  '',
  'put txn/b 2',
  'get txn/a',
  'del txn/c',
  '',
  'put txn/lost 1',
  '',
  '',
].join('\n');

export const KEYS: readonly Step[] = [
  step('put', 'k/a 1', PUT),
  step('put', 'k/a 2 --prev-kv', PUT),
  step('put', 'k/b from-argument', SIMPLE),
  step('put', 'k/c', { ...SIMPLE, input: 'from stdin' }),
  step('put', 'k/a --ignore-value', { ...SIMPLE, input: '' }),
  step('put', 'absent --ignore-value', { ...SIMPLE, input: '' }),
  step('put', 'k/a 3 --lease=123abc', SIMPLE_AND_JSON),
  step('get', 'k/a', RANGE),
  step('get', 'absent', RANGE),
  step('get', 'k/ --prefix', RANGE),
  step('get', 'k/ --prefix --keys-only', RANGE),
  step('get', 'k/ --prefix --count-only', { ...RANGE, formats: ['json', 'fields', 'protobuf'] }),
  step('get', 'k/ --prefix --limit=2 --order=DESCEND --sort-by=MODIFY', RANGE),
  step('get', 'k/a k/c', SIMPLE_AND_JSON),
  step('get', 'k/b --from-key', SIMPLE_AND_JSON),
  step('get', 'k/a --rev=3', SIMPLE_AND_JSON),
  step('get', 'k/a --rev=99999', SIMPLE),
  step('get', 'k/a --consistency=s', SIMPLE_AND_JSON),
  step('get', 'k/a --print-value-only', SIMPLE),
  step('get', 'k/a --hex', SIMPLE),
  step('get', '--prefix', { formats: ['simple'] }),
  step('del', 'k/b --prev-kv', { codec: codec(DeleteRangeResponse) }),
  step('del', 'absent', { codec: codec(DeleteRangeResponse) }),
  step('del', 'k/c k/d', SIMPLE_AND_JSON),
  step('del', 'k/x --from-key', SIMPLE),
  step('put', 'txn/a 1', SIMPLE),
  step('txn', '', { input: TXN, codec: codec(TxnResponse) }),
  step('txn', '', { ...SIMPLE_AND_JSON, input: TXN.replace('"1"', '"other"') }),
  step('txn', '', { ...SIMPLE, input: 'nonsense\n\n\n\n' }),
  step('compaction', '9', SIMPLE),
  step('compaction', '10 --physical', { formats: ['json'] }),
  step('compaction', '9', SIMPLE),
  step('compaction', '99999', SIMPLE),
  step('get', 'k/a --rev=2', SIMPLE),
];

export const LEASES: readonly Step[] = [
  step('lease grant', '600', { ...SIMPLE, save: ['lease', /lease ([0-9a-f]+) granted/] }),
  step('lease grant', '600', {
    formats: ['json', 'fields', 'table', 'protobuf'],
    ...HEADER,
    hide: [[/("ID":|"ID" : )\d+/g, '$1LEASE']],
  }),
  step('put', (side) => ['leased', 'v', `--lease=${side.var('lease')}`], PUT),
  step('lease timetolive', (side) => [side.var('lease'), '--keys'], {
    ...HEADER,
    hide: [
      [/remaining\(\d+s\)/, 'remaining(LEFT)'],
      [/("ttl":|"TTL" : )\d+/, '$1LEFT'],
    ],
  }),
  step('lease timetolive', '123abc', { ...SIMPLE_AND_JSON }),
  step('lease list', '', {
    ...HEADER,
    unordered: true,
    hide: [
      [/"id":\d+/g, '"id":LEASE'],
      [/"ID" : \d+/g, '"ID" : LEASE'],
      [/^[0-9a-f]{16}$/gm, 'LEASE'],
    ],
  }),
  step('lease keep-alive', (side) => ['--once', side.var('lease')], HEADER),
  step('lease revoke', (side) => [side.var('lease')], SIMPLE),
  step('lease revoke', '123abc', SIMPLE),
];

const MEMBERS = codec(MemberListResponse);

export const CLUSTER: readonly Step[] = [
  step('member list', '', { codec: MEMBERS, unordered: true }),
  step('member list', '--hex', { ...SIMPLE_AND_JSON, unordered: true }),
  step('endpoint health', '', {
    at: 'all',
    unordered: true,
    hide: [[/\d+(\.\d+)?(ms|µs|s)/g, 'TOOK']],
  }),
  step('endpoint health', '--cluster', {
    ...SIMPLE,
    unordered: true,
    hide: [[/\d+(\.\d+)?(ms|µs|s)/g, 'TOOK']],
  }),
  step('endpoint status', '', {
    at: 'all',
    unordered: true,
    hide: [
      [/3\.\d+\.\d+/g, 'VERSION'],
      [/\d+ kB|\d+\.?\d* [kM]?B/g, 'SIZE'],
      [/("dbSize(InUse)?":|"DBSize" : )\d+/g, '$1SIZE'],
      [/("leader":|"Leader" : )\d+/g, '$1LEADER'],
      [/("raft(Applied)?Index":|"Raft(Applied)?Index" : )\d+/g, '$1INDEX'],
      [/(true|false)(,| │) false(,| │) \d+(,| │) \d+(,| │) \d+/g, 'LEADS$2 false$3 T$4 I$5 A'],
    ],
  }),
  step('endpoint hashkv', '', {
    at: 'all',
    unordered: true,
    hide: [
      [/(client-m\d, )\d+/g, '$1HASH'],
      [/("hash":|"Hash" : )\d+/g, '$1HASH'],
      [/(client-m\d │ )\d+/g, '$1HASH'],
    ],
  }),
  step('alarm list', '', { codec: codec(AlarmResponse) }),
  // etcdctl 3.5 itself falls over its fields.
  step('alarm disarm', '', {
    codec: codec(AlarmResponse),
    hide: [[/\n\ngoroutine[^]*/, '']],
  }),
  step('defrag', '', { ...SIMPLE_AND_JSON }),
  step('defrag', '--cluster', { ...SIMPLE, unordered: true }),
  step('version', '', SIMPLE),
  step('help', '', SIMPLE),
  step('completion bash', '', SIMPLE),
  step('completion fish', '', SIMPLE),
  step('completion powershell', '', SIMPLE),
  step('completion zsh', '', SIMPLE),
  step('move-leader', '123abc', { ...SIMPLE, at: 'all' }),
  step('snapshot save', (side) => [`${side.cluster.folder}/saved.db`], SIMPLE),
  // Of the file the revision is the state's; hash, keys and size are those of every database anew.
  step('snapshot status', (side) => [`${side.cluster.folder}/saved.db`], {
    hide: [
      [/^[0-9a-f]+, (\d+), \d+, [\d.]+ [kM]?B$/m, 'HASH, $1, KEYS, SIZE'],
      [/("hash":|"Hash" : )\d+/, '$1HASH'],
      [/("totalKey":|"Keys" : )\d+/, '$1KEYS'],
      [/("totalSize":|"Size" : )\d+/, '$1SIZE'],
      [/│ +[0-9a-f]+ │( +\d+) │ +\d+ │ +[\d.]+ [kM]?B │/, '│ HASH │$1 │ KEYS │ SIZE │'],
    ],
  }),
  step('snapshot status', (side) => [`${side.cluster.folder}/nowhere.db`], SIMPLE),
  step(
    'snapshot restore',
    ({ cluster: { folder } }) => [`${folder}/saved.db`, `--data-dir=${folder}/restored`],
    { ...SIMPLE, hide: [[/^\d{4}-\S+Z/gm, 'TIME']] },
  ),
  step(
    'member add',
    (_, format) => [`new-${format}`, '--peer-urls=http://127.0.0.1:1', '--learner'],
    {
      ...SIMPLE,
      unordered: true,
      save: ['added', /Member ([0-9a-f]+) added/],
    },
  ),
  // Within the same second it would have the same id as well.
  step('member add', 'again --peer-urls=http://127.0.0.1:1 --learner', {
    ...SIMPLE,
    hide: [[/member ID already exist|Peer URLs already exists/, 'TAKEN']],
  }),
  step('member add', 'second --peer-urls=http://127.0.0.1:2 --learner', SIMPLE),
  step('member add', 'nowhere --peer-urls=nonsense', SIMPLE),
  step('member promote', (side) => [side.var('added')], SIMPLE),
  step(
    'member update',
    (side) => [side.id('m2'), `--peer-urls=${side.cluster.members[1]?.peerUrl}`],
    { ...SIMPLE_AND_JSON, unordered: true },
  ),
  step('member update', '123abc --peer-urls=http://127.0.0.1:4', SIMPLE),
  step('member list', '', { ...SIMPLE, unordered: true }),
  step('member remove', (side) => [side.var('added')], SIMPLE),
  step('member remove', (side) => [side.var('added')], SIMPLE),
  step('member remove', '123abc', SIMPLE),
];

const change = (name: string) => (_: Side, format: Format) => [`${name}-${format}`];

/** With authentication off; the last one switches it on. */
export const USERS: readonly Step[] = [
  step('auth status', '', { codec: codec(AuthStatusResponse) }),
  step('auth enable', '', SIMPLE),
  step('user add', (_, format) => [`u-${format}:pw`], HEADER_ONLY()),
  step('user add', 'u-simple:pw', SIMPLE),
  step('user add', 'nopass --no-password', SIMPLE),
  step('user add', 'typed --interactive=false', { ...SIMPLE, input: 'secret\n' }),
  step('user passwd', 'u-simple --interactive=false', { ...HEADER_ONLY(), input: 'pw2\n' }),
  step('role add', change('r'), HEADER_ONLY()),
  step('role add', 'r-simple', SIMPLE),
  step('role grant-permission', 'r-simple readwrite k/ --prefix', HEADER_ONLY()),
  step('role grant-permission', 'r-simple read from --from-key', SIMPLE),
  step('role grant-permission', 'r-simple write one', SIMPLE),
  step('role grant-permission', 'r-simple sing one', SIMPLE),
  step('role get', 'r-simple', { codec: codec(AuthRoleGetResponse) }),
  step('role get', 'absent', SIMPLE),
  step('role list', '', { codec: codec(AuthRoleListResponse) }),
  step('user grant-role', (_, format) => ['u-simple', `r-${format}`], HEADER_ONLY()),
  step('user grant-role', 'u-simple absent', SIMPLE),
  step('user get', 'u-simple', { codec: codec(AuthUserGetResponse) }),
  step('user get', 'u-simple --detail', SIMPLE_AND_JSON),
  step('user list', '', { codec: codec(AuthUserListResponse) }),
  step('user revoke-role', (_, format) => ['u-simple', `r-${format}`], HEADER_ONLY()),
  step('user revoke-role', 'u-simple r-json', SIMPLE),
  step('role revoke-permission', 'r-simple one', SIMPLE),
  step('role revoke-permission', 'r-simple from --from-key', SIMPLE),
  step('role revoke-permission', 'r-simple k/ --prefix', { formats: ['json'] }),
  step('role revoke-permission', 'r-simple k/ --prefix', SIMPLE),
  step('role delete', change('r'), HEADER_ONLY()),
  step('role delete', 'r-simple', SIMPLE),
  step('user delete', change('u'), HEADER_ONLY()),
  step('user delete', 'u-simple', SIMPLE),
  step('user add', 'root:rootpw', SIMPLE),
  step('auth enable', '', SIMPLE),
];

const ROOT = '--user=root:rootpw';

/** With authentication on; the last one switches it off. */
export const SECURED: readonly Step[] = [
  step('get', 'k/a', SIMPLE),
  step('get', `k/a --user=root:wrong`, SIMPLE),
  step('get', `k/a ${ROOT}`, SIMPLE),
  step('auth status', ROOT, SIMPLE_AND_JSON),
  step('role get', `root ${ROOT}`, { ...SIMPLE_AND_JSON }),
  step('user get', `root --detail ${ROOT}`, SIMPLE),
  step('user add', `weak:weak ${ROOT}`, SIMPLE),
  step('put', 'k/a 1 --user=weak:weak', SIMPLE),
  step('user list', '--user=weak:weak', SIMPLE),
  step('user delete', `root ${ROOT}`, SIMPLE),
  step('user revoke-role', `root root ${ROOT}`, SIMPLE),
  step('endpoint health', '--user=weak:weak', {
    ...SIMPLE,
    hide: [[/\d+(\.\d+)?(ms|µs|s)/g, 'TOOK']],
  }),
  step('auth disable', ROOT, SIMPLE),
  step('auth disable', '', SIMPLE),
];

function HEADER_ONLY(): More {
  return { ...HEADER };
}
