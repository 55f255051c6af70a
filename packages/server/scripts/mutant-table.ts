/** Bugs that somebody could write, one line each, in the state machine, the leases and the services. */

/** One planted bug: `find` is in the file exactly once. */
export interface Mutant {
  readonly name: string;
  /** Below `src/`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Test files, below `test/`, one of which has to fail. */
  readonly tests: readonly string[];
}

const LEASES = [
  'lease-clock.test.ts',
  'services/lease.test.ts',
  'replicated-state.test.ts',
  'leases.property.test.ts',
];
const WATCH = ['services/watch.test.ts'];
const KV = ['services/kv.test.ts'];
const ALARMS = ['services/maintenance.test.ts'];
const CLUSTER = ['services/cluster.test.ts', 'replicated-state.test.ts'];
const AUTH = ['services/auth.test.ts'];
const RECIPES = ['services/concurrency.test.ts'];
const GUARDS = ['services/guards.test.ts'];
const BBOLT = ['bbolt/bbolt.property.test.ts'];
const BACKUP = ['backup/backup.test.ts'];

function mutants(
  file: string,
  tests: readonly string[],
  ...bugs: readonly (readonly [name: string, find: string, replace: string])[]
): readonly Mutant[] {
  return bugs.map(([name, find, replace]) => ({ name, file, find, replace, tests }));
}

/** All of them. */
export const MUTANTS: readonly Mutant[] = [
  ...mutants(
    'lease/lease-clock.ts',
    LEASES,
    ['a lease past its time is renewed', '|| deadlineMs <= nowMs', ''],
    ['a promotion gives no extension', 'this.#nowMs() + this.#extensionMs', 'this.#nowMs()'],
    [
      'a revoke without effect is forgotten',
      'this.#revoking.set(next.id, nowMs + REVOKE_RETRY_MS);',
      'this.#revoking.delete(next.id);',
    ],
    ['a checkpoint rounds down', 'Math.ceil(leftMs / 1000)', 'Math.floor(leftMs / 1000)'],
    ['a batch has no limit of leases', 'ids.length >= limits.maxLeases ||', ''],
    ['a batch has no limit of keys', ' || (ids.length > 0 && keys > limits.maxKeys)', ''],
    [
      'a renewal forgets the checkpoints that are on their way',
      'outdated: this.#taken.get(id) ?? inLog',
      'outdated: inLog',
    ],
    [
      'a lease is checkpointed once and never again',
      '      this.#scheduleCheckpoint(next.id, nowMs, leftMs);\n',
      '',
    ],
    ['a demoted clock goes on observing', '    this.#stopObserving();\n', ''],
  ),
  ...mutants(
    'lease/lessor.ts',
    LEASES,
    [
      'a promotion passes over checkpoints',
      'lease.checkpointedTtlSeconds > 0 ?',
      'lease.checkpointedTtlSeconds < 0 ?',
    ],
    ['the keys of a lease are in the order of their puts', '].sort();', '];'],
    [
      'a key stays attached after another put',
      '    this.#leases.get(id)?.keys?.delete(key);\n',
      '',
    ],
    ['a revoked lease stays on disk', '    this.#records?.delete(leaseRecordName(id));\n', ''],
    [
      'a checkpoint does not reach the disk',
      '    this.#count(lease, 1);\n    this.#write(lease);\n',
      '    this.#count(lease, 1);\n',
    ],
    [
      'the checksum does not see leases go',
      '    this.#count(lease, -1);\n    this.#leases.delete(id);',
      '    this.#leases.delete(id);',
    ],
  ),
  ...mutants(
    'apply/lease-commands.ts',
    LEASES,
    [
      'a deposed leader revokes',
      '  if (command.term !== term) return;\n  for (const id of command.ids)',
      '  for (const id of command.ids)',
    ],
    [
      'a lease granted anew is revoked in place of the old one',
      'lease.grantedIndex <= asOfIndex',
      'true',
    ],
    ['each key of a lease has a revision of its own', 'write.deleteRange(', 'store.deleteRange('],
    [
      'the largest TTL is not checked',
      'TTL > MAX_LEASE_TTL_SECONDS',
      'TTL > 2 * MAX_LEASE_TTL_SECONDS',
    ],
  ),
  ...mutants(
    'services/lease-keeper.ts',
    LEASES,
    [
      'a member goes on as leader after another was elected',
      "    this.#demote('NOT_LEADER');\n    if (!isLeader) return;",
      "    if (!isLeader) return;\n    this.#demote('NOT_LEADER');",
    ],
    [
      'a batch that the log did not take is never proposed again',
      '      this.#pausesUntilMs = this.#node.clock.monotonicMs() + RETRY_MS;\n',
      '      this.#leadership = undefined;\n',
    ],
    ['nobody who waits hears of a revoke', '    this.#revocations.get(id)?.resolve();\n', ''],
    ['batches overlap', 'if (!this.#isProposing) void this.#work();', 'void this.#work();'],
    ['stop leaves the timer', "    this.#demote('STOPPED');\n", ''],
  ),
  ...mutants(
    'services/lease.ts',
    LEASES,
    ['the TTL floor is one election timeout', '1.5 * electionTimeoutMs', '1.0 * electionTimeoutMs'],
    [
      'a keepalive past the time does not wait for the revoke',
      '    await keeper.revokedOf(id, signal);\n',
      '',
    ],
    [
      'a renewal leaves the old checkpoint',
      'if (renewal.outdated !== undefined)',
      'if (renewal.outdated === undefined)',
    ],
    [
      'the remaining time is rounded up',
      'Math.floor(remainingMs / 1000)',
      'Math.ceil(remainingMs / 1000)',
    ],
    [
      'the server chooses the same id again',
      'request.ID === 0n ? ids.next() : request.ID',
      'request.ID === 0n ? 5n : request.ID',
    ],
  ),
  ...mutants(
    'services/watch/watch-stream.ts',
    WATCH,
    ['an id is given twice', 'return this.#nextId++;', 'return this.#nextId;'],
    [
      'an id that a compaction ended is free at once',
      '      entry.watcher = undefined;\n',
      '      this.#entries.delete(watchId);\n',
    ],
    ['a slow client is sent everything', 'if (this.#isFull) {', 'if (this.#isClosed) {'],
    [
      'a client that keeps up again is forgotten',
      '    for (const { watcher } of parked) watcher?.resume();\n',
      '',
    ],
    [
      'a negative start revision is current',
      'request.startRevision < 0',
      'request.startRevision < -9',
    ],
    [
      'the watchers of a stream have no limit',
      'this.#entries.size >= this.#node.limits.maxWatchersPerStream',
      'this.#entries.size < 0',
    ],
    [
      'progress speaks while a watcher is ended',
      'if (watcher === undefined) return;\n      watchers',
      'if (watcher === undefined) continue;\n      watchers',
    ],
    [
      'progress comes to busy watchers too',
      'const isTold = entry.isIdle && !this.#isFull;',
      'const isTold = !this.#isFull;',
    ],
    [
      'progress waits for a client that does not read',
      'const isTold = entry.isIdle && !this.#isFull;',
      'const isTold = entry.isIdle;',
    ],
    [
      'a cancel is not answered',
      '    this.#send({ header: headerNow(this.#node), watchId: id, canceled: true });\n',
      '',
    ],
    [
      'a compaction cancel carries the revision',
      'const header = headerAt(this.#node, 0);',
      'const header = headerNow(this.#node);',
    ],
    [
      'deletes are filtered as puts',
      'noDelete: request.filters.includes(FilterType.NODELETE)',
      'noDelete: request.filters.includes(FilterType.NOPUT)',
    ],
    [
      'a snapshot makes watchers begin anew',
      'this.#register(entry, isSynced ? 0 : nextRevision);',
      'this.#register(entry, 0);',
    ],
    [
      'a snapshot that brings nothing withholds progress',
      'this.#register(entry, isSynced ? 0 : nextRevision);',
      'this.#register(entry, nextRevision);',
    ],
    [
      'an empty key watches everything',
      'key: request.key.length === 0 ? NUL : request.key,\n    rangeEnd: request.rangeEnd',
      'key: request.key.length === 0 ? NUL : request.key,\n    rangeEnd: request.key.length === 0 ? NUL : request.rangeEnd',
    ],
  ),
  ...mutants(
    'services/watch/fragments.ts',
    WATCH,
    [
      'the last fragment is marked',
      'parts.push({ ...response, events, fragment: false });',
      'parts.push({ ...response, events, fragment: true });',
    ],
    ['a fragment may exceed the limit', 'bytes + eventBytes >= maxBytes', 'bytes >= maxBytes'],
  ),
  ...mutants(
    'services/watch/watch.ts',
    WATCH,
    ['half-closing ends the stream', '        await untilAborted(context.signal);\n', ''],
    ['the watchers of an ended stream stay', '        stream.close();\n', ''],
  ),
  ...mutants(
    'services/kv.ts',
    KV,
    ['a read-only txn needs no barrier', '    if (!mayBeStale) await node.readBarrier();\n', ''],
    [
      'one serializable range makes the whole txn stale',
      'ranges.every((one) => one.serializable)',
      'ranges.some((one) => one.serializable)',
    ],
    [
      'a range needs no barrier',
      '  if (!request.serializable) await node.readBarrier();\n  // After',
      '  // After',
    ],
    [
      'physical compaction does not wait',
      'if (request.physical) await',
      'if (!request.physical) await',
    ],
  ),
  ...mutants('apply/responses.ts', KV, [
    'a txn has no revision in its header',
    'header: revisionHeader(revision), succeeded',
    'header: revisionHeader(0), succeeded',
  ]),
  ...mutants(
    'apply/quota.ts',
    ALARMS,
    [
      'puts in nested txns cost nothing',
      "else if (request?.$case === 'requestTxn')",
      "else if (request?.$case === 'requestTxn' && bytes < 0)",
    ],
    [
      'the branch not taken costs nothing',
      'Math.max(branchCostBytes(request.success), branchCostBytes(request.failure))',
      'branchCostBytes(request.success)',
    ],
  ),
  ...mutants(
    'apply/alarm-gate.ts',
    ALARMS,
    [
      'CORRUPT lets compactions through',
      "    case 'compact':\n    case 'leaseGrant':",
      "    case 'leaseGrant':",
    ],
    [
      'NOSPACE lets leases be granted',
      "    case 'put':\n    case 'leaseGrant':\n      return true;",
      "    case 'put':\n      return true;",
    ],
  ),
  ...mutants('apply/alarms.ts', ALARMS, [
    'an alarm is lowered by its type alone',
    'other.memberID === memberID && other.alarm === type',
    'other.alarm === type',
  ]),
  ...mutants(
    'bbolt/bucket-tree.ts',
    BBOLT,
    [
      'a branch of a backup has one child',
      'branch.hasRoom(bytes, CHILDREN_MIN + 1)',
      'branch.hasRoom(bytes, CHILDREN_MIN)',
    ],
    [
      'a page of a backup is over full',
      'this.bytes + bytes <= PAGE_BYTES',
      'this.bytes + bytes <= PAGE_BYTES + 16',
    ],
  ),
  ...mutants(
    'bbolt/database-reader.ts',
    BBOLT,
    ['keys of a backup need not ascend', 'compareBytes(last, key) >= 0', 'last.length < 0'],
    ['pages of a backup are read for ever', 'if (pagesLeft < 0)', 'if (pagesLeft < -1e9)'],
    ['a page of a backup may say that it is another', 'if (itself !== id)', 'if (itself < 0)'],
  ),
  ...mutants('bbolt/page-reader.ts', BBOLT, [
    'elements of a page of a backup overlap',
    'freeAt = end;',
    'freeAt = Math.min(freeAt, end);',
  ]),
  ...mutants(
    'backup/backup-buckets.ts',
    BACKUP,
    [
      'a backup forgets a revision that was jumped to',
      'yield [[etcd.revisionBytes(copy.revision), EMPTY_BYTES]];',
      'yield [[etcd.revisionBytes(1), EMPTY_BYTES]];',
    ],
    [
      'a backup has its leases without their checkpoints',
      'RemainingTTL: checkpointedTtlSeconds',
      'RemainingTTL: 0',
    ],
  ),
  ...mutants('backup/read-backup.ts', BACKUP, [
    'records without content come into the store',
    'if (value.length > 0) records',
    'if (value.length >= 0) records',
  ]),
  ...mutants('services/require-leader.ts', GUARDS, [
    'a stream outlives one election timeout without a leader',
    'STREAM_GRACE_ELECTION_TIMEOUTS = 3',
    'STREAM_GRACE_ELECTION_TIMEOUTS = 1',
  ]),
  ...mutants('services/guards.ts', GUARDS, [
    'a learner serves everything',
    'if (isLearner && !isServedByLearner(method, request))',
    'if (isLearner && method.length === 0)',
  ]),
  ...mutants(
    'membership/admission.ts',
    CLUSTER,
    ['a removed id comes back', 'if (membership.wasRemoved(member.id))', 'if (member.id === 0n)'],
    [
      'too few started members may lose one',
      'if (started(left) < quorum(left.length))',
      'if (started(left) < quorum(left.length) - 1)',
    ],
    [
      'a learner that lags is promoted',
      'PROMOTION_READY_RATIO = 0.9',
      'PROMOTION_READY_RATIO = 0.8',
    ],
    ['one learner too many is let in', 'learners >= maxLearners', 'learners > maxLearners'],
  ),
  ...mutants(
    'membership/membership.ts',
    CLUSTER,
    ['removed ids are forgotten', '        this.#removed.add(node);\n', ''],
    ['an update takes the client URLs', 'clientUrls: known?.clientUrls ?? [],', 'clientUrls: [],'],
  ),
  ...mutants(
    'apply/authorise.ts',
    AUTH,
    [
      'only the first branch of a txn is judged',
      ' ??\n      firstProblem(failure, (op) => this.#operation(op))',
      '',
    ],
    ['compares are not judged', 'firstProblem(compare, (one) => this.read(one)) ??\n', ''],
    [
      'a put under a lease may end the keys of others',
      '(lease === 0n ? undefined : this.writeLease(lease)) ??\n',
      '',
    ],
    [
      'what a put replaces is shown to anybody who may write',
      '(prevKv ? this.read({ key, rangeEnd: EMPTY_BYTES }) : undefined)',
      'undefined',
    ],
  ),
  ...mutants(
    'services/concurrency/lock.ts',
    RECIPES,
    [
      'the lock waits for itself',
      'caller.waitDeletes(prefix, mine - 1)',
      'caller.waitDeletes(prefix, mine - 2)',
    ],
    [
      'whoever gives up stays in the queue',
      '    await caller.delete(key).catch(() => undefined);\n',
      '',
    ],
  ),
];
