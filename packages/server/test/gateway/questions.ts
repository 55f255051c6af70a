/** Requests to HTTP and the gateway, one after the other: later ones go by what earlier ones have done. */
import { RPCS } from '@etcd-ts/protocol';
import type { Question } from './ask.ts';

const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
const FOO = base64('foo');

function post(path: string, body: unknown, more: Partial<Question> = {}): Question {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { method: 'POST', path: `/v3/${path}`, body: text, ...more };
}

const TEXTS: readonly Question[] = [
  '{"key":"Zm9v',
  '{"key":"Zm9v"',
  '{"key":1}',
  '{"key":"###"}',
  '{"key":"Zm9v","key":"Zm9v"}',
  '{"key":"Zm9v","nonsense":{"a":[1,2]}}',
  '[]',
  'null',
  '',
  'nope',
  '"x"',
  '12',
  '{} {}',
  '{"key":"Zm9v"} trailing',
  '{"key":"Zm-_","value":"Zm9v"}',
  '{"key":"Zm8","value":"Zm8="}',
  '{"key":"Zm9v","lease":1.5}',
  '{"key":"Zm9v","lease":"abc"}',
  '{"key":"Zm9v","lease":"0"}',
  '{"key":"Zm9v","lease":1e3}',
  '{"key":"Zm9v","lease":99999999999999999999}',
  '{"key":"Zm9v","prev_kv":"true"}',
  '{"key":"Zm9v","prev_kv":null}',
  '{"key":null}',
  '\uFEFF{"key":"Zm9v"}',
  '{"key":"Zm9v",}',
  "{'key':1}",
  '{"key":"\\x"}',
  '{"key":"a\nb"}',
  '{"key":tru}',
  '{"key":-}',
  '{"key":1.}',
  '{"key":1.5.}',
  '{"key":1.5ee}',
  '{"key":1e+x}',
  '{"key":1e5e}',
  '{"key":"\\u12x4"}',
  '{"key":"\\u"}',
  '{"key":"\\ud800"}',
  '{"key":"\\ud800abcdefgh"}',
  '{"key":"Zm9v",\n "value":"\\ud800\\u0041","nope":1}',
  '{"\\udc00 aaaa":"Zm9v"}',
  '{"key":"Zm9v","nope":"\\ud83d\\ude00"}',
  '{"key":"Zm9v","nope":"\\ud83d\\ude00 \\ude00 or more"}',
  // Behind an escaped backslash it is text, and what follows it has no first half.
  '{"key":"Zm9v","nope":"\\\\ud83d\\ude00 or more"}',
  '{"key":"Zm9v","nope":"\\\\ud83d\\ude00 and \\u0041"}',
  '{"key":"Zm9v\\u003d"}',
  '{"key":"Zm9v","lease":"00"}',
  '{"key":"Zm9v","lease":" 0"}',
  '{"key":"Zm9v","lease":"0x0"}',
  '{"key":"Zm9v","lease":0.000}',
  '{"key":"Zm9v","lease":0e400}',
].map((text) => post('kv/put', text));

const KEYS: readonly Question[] = [
  post('kv/put', { key: FOO, value: base64('bar') }),
  post('kv/put', { key: FOO, value: base64('bar2'), prevKv: true }),
  post('kv/put', { key: FOO, value: base64('bar3'), prev_kv: true }),
  post('kv/put', { key: FOO, value: base64('bar3'), lease: '99' }),
  post('kv/put', { key: '', value: base64('x') }),
  post('kv/put', { key: FOO, ignoreValue: true }),
  post('kv/range', { key: FOO }),
  post('kv/range', { key: FOO, range_end: 'AA==' }),
  post('kv/range', {
    key: 'AA==',
    range_end: 'AA==',
    limit: 1,
    sort_order: 'DESCEND',
    sort_target: 'MOD',
  }),
  post('kv/range', { key: 'AA==', range_end: 'AA==', limit: '1', sortOrder: 2, sortTarget: 3 }),
  post('kv/range', { key: FOO, sort_order: 'NOPE' }),
  post('kv/range', { key: FOO, sort_order: 'constructor', sort_target: '__proto__' }),
  post('kv/range', { key: FOO, revision: 100 }),
  post('kv/range', { key: FOO, count_only: true }),
  post('kv/range', { key: base64('absent') }),
  post('kv/range', { key: FOO }, { headers: { 'Grpc-Metadata-hasleader': 'true' } }),
  post('kv/range', { key: FOO }, { headers: { 'Grpc-Timeout': 'zz' } }),
  post('kv/range', { key: FOO }, { headers: { 'Content-Type': 'text/plain' } }),
  post('kv/txn', {
    compare: [{ target: 'VALUE', key: FOO, value: base64('bar') }],
    success: [{ request_put: { key: FOO, value: base64('z') } }],
    failure: [{ requestRange: { key: FOO } }],
  }),
  post('kv/txn', {
    compare: [{ target: 'CREATE', key: FOO, createRevision: '2' }],
    success: [
      { requestDeleteRange: { key: base64('q') } },
      { requestTxn: { compare: [], success: [{ requestRange: { key: FOO } }] } },
    ],
  }),
  post('kv/txn', { compare: [{ target: 'CREATE', key: FOO, create_revision: '2', version: 1 }] }),
  post('kv/txn', { success: [{}] }),
  post('kv/txn', {}),
  post('kv/deleterange', { key: base64('absent') }),
  post('kv/deleterange', { key: FOO, prev_kv: true }),
  post('kv/compaction', { revision: 2 }),
  post('kv/compaction', { revision: 2 }),
  post('kv/compaction', { revision: '2000', physical: true }),
];

const LEASES: readonly Question[] = [
  post('lease/grant', { TTL: 100, ID: 77 }),
  post('lease/grant', { TTL: '100', ID: '77' }),
  post('lease/grant', { TTL: -5 }),
  post('lease/grant', { ttl: 5, id: 3 }),
  post('kv/put', { key: base64('leased'), value: base64('v'), lease: 77 }),
  post('kv/lease/timetolive', { ID: 12_345 }),
  post('lease/timetolive', { ID: 12_345 }),
  post('lease/leases', {}),
  post('kv/lease/leases', ''),
  post('lease/keepalive', { ID: 77 }),
  post('lease/keepalive', { ID: 78 }),
  post('lease/keepalive', '{"ID":77}{"ID":78}\n{"ID":79}'),
  post('lease/keepalive', ''),
  post('kv/lease/revoke', { ID: 77 }),
  post('lease/revoke', { ID: 77 }),
];

const WATCHES: readonly Question[] = [
  post('watch', { create_request: { key: FOO, start_revision: 3 } }, { lines: 1 }),
  post('watch', { createRequest: { key: FOO, startRevision: '1' } }, { lines: 2 }),
  post('watch', { create_request: { key: FOO, range_end: base64('a') } }, { lines: 1 }),
  post('watch', '{"create_request":{"key":"eA=="}}{"cancel_request":{"watch_id":0}}', { lines: 2 }),
];

const MEMBERS: readonly Question[] = [
  post('cluster/member/list', {}),
  post('cluster/member/list', { linearizable: true }),
  post('cluster/member/remove', { ID: '1' }),
  post('cluster/member/add', { peerURLs: ['nope'] }),
  post('cluster/member/promote', { ID: '1' }),
  post('maintenance/alarm', {}),
  post('maintenance/alarm', { action: 'GET', alarm: 'NOSPACE' }),
  post('maintenance/alarm', { action: 'ACTIVATE', alarm: 'NOSPACE', memberID: '5' }),
  { method: 'GET', path: '/health' },
  { method: 'GET', path: '/health?exclude=NOSPACE' },
  { method: 'GET', path: '/readyz' },
  post('maintenance/alarm', { action: 2, alarm: 1, memberID: 5 }),
  post('maintenance/defragment', {}),
  post('maintenance/hash', {}),
  post('maintenance/hashkv', {}),
  post('maintenance/transfer-leadership', {}),
  post('maintenance/downgrade', { action: 'VALIDATE', version: '9.9' }),
  post('maintenance/status', {}),
];

/** Requests without a body, of one method. */
function questions(method: string, ...paths: readonly string[]): Question[] {
  return paths.map((path) => ({ method, path }));
}

const POSTED = `/v3/kv/range /v3beta/kv/range /v3alpha/kv/range /v3/nope /v3/ /v3 /v3/kv/range/
/v3/kv/range?key=Zm9v //v3/kv/range /v3/kv/../kv/range /v3/KV/range /v3/kv%2Frange /v3/kv/%72ange
/v3/kv/range%20 / /health /version /livez /readyz /health/ /version/ /debug/vars/`;

const GOT = `/ /nope /v3 /v3/kv/range //health /health/../livez?verbose /health /health?serializable=true
/livez /livez?verbose /livez/nope /livez?exclude=serializable_read&verbose /livez/serializable_read
/readyz/non_learner?verbose /readyz?exclude=nope /v2/keys /debug/requests`;

const PAGES: readonly Question[] = [
  ...POSTED.split(/\s+/).map((path) => ({ method: 'POST', path, body: `{"key":"${FOO}"}` })),
  ...questions('GET', ...GOT.split(/\s+/)),
  ...['PUT', 'DELETE', 'HEAD', 'OPTIONS'].flatMap((method) => questions(method, '/v3/kv/range')),
  ...['HEAD', 'OPTIONS', 'PATCH'].flatMap((method) => questions(method, '/health')),
];

/** Every path of the gateway with a request that holds nothing, but for those that go on for ever or change much. */
const EMPTY: readonly Question[] = RPCS.flatMap(({ kind, gatewayPaths }) =>
  kind === 'unary' ? gatewayPaths : [],
)
  .filter(
    (path) =>
      !/auth\/|campaign|lock\/lock|election|alarm|hash|status|downgrade|member\/update/.test(path),
  )
  .map((path) => ({ method: 'POST', path, body: '{}' }));

const USERS: readonly Question[] = [
  post('auth/status', {}),
  post('auth/user/add', { name: 'root', password: 'p' }),
  post('auth/user/get', { name: 'nobody' }),
  post('auth/role/add', { name: 'root' }),
  post('auth/user/grant', { user: 'root', role: 'root' }),
  post('auth/enable', {}),
  post('kv/range', { key: FOO }),
  post('auth/authenticate', { name: 'root', password: 'x' }),
  post('auth/authenticate', { name: 'root', password: 'p' }),
  post('kv/range', { key: FOO }, { headers: { Authorization: 'bad' } }),
  post('kv/range', { key: FOO }, { headers: { 'Grpc-Metadata-Token': 'bad' } }),
  { method: 'GET', path: '/health' },
  post('watch', { create_request: { key: FOO } }, { lines: 1 }),
  post('lock/lock', { name: base64('lock') }),
  post('election/leader', { name: base64('e') }),
];

/** All of them, in their order. */
export const QUESTIONS: readonly Question[] = [
  ...KEYS,
  ...TEXTS,
  ...LEASES,
  ...WATCHES,
  ...PAGES,
  ...MEMBERS,
  ...EMPTY,
  ...USERS,
];
