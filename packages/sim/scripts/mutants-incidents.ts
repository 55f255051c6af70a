/**
 * What the simulator has found, once more: each cure taken out again, and the plan that showed the bug. A plan tells of
 * one order of events, and later changes may give it another, in which nothing goes wrong.
 */
import type { Mutant } from './mutant.ts';

export const INCIDENTS: readonly Mutant[] = [
  {
    name: 'forwards of an older term are taken',
    area: 'incident',
    file: 'raft/src/forward.ts',
    find: 'const isOfThisTerm = message.term === raft.term;',
    replace: 'const isOfThisTerm = true;',
    plan: 'late-forward-applied-twice',
  },
  {
    name: 'listeners hear of a compaction in the middle of its entry',
    area: 'incident',
    file: 'server/src/apply/replicated-state.ts',
    find: "this.#due.push('compacted');",
    replace: "this.#notify('compacted');",
    plan: 'compaction-written-before-its-entry',
  },
  {
    name: 'a member answers only those whom it knows as members',
    area: 'incident',
    file: 'sim/src/network/sim-peer-transport.ts',
    find: 'return this.#peerOf(id) ?? this.#remotes.get(id);',
    replace: 'return this.#peerOf(id);',
    plan: 'leader-unknown-to-a-late-member',
  },
  {
    name: 'an answer to an old term confirms a probe, and a snapshot is refused in silence',
    area: 'incident',
    file: 'raft/src/replication.ts',
    find: ' && index === peer.match && peer.next === index + 1;',
    replace: ' && index === peer.match;',
    also: [
      {
        file: 'server/src/consensus/raft-consensus.ts',
        find: "      if (message.term >= term) this.#input({ type: 'message', message });\n",
        replace: '',
      },
    ],
    plan: 'snapshots-for-ever-to-a-follower-in-step',
  },
  {
    name: 'a change of members is applied before it is known for good that it is committed',
    area: 'incident',
    file: 'raft/src/drain.ts',
    find: 'const isChangeCommitted = change !== undefined && change <= commit;',
    replace: 'const isChangeCommitted = change !== undefined && commit < 0;',
    plan: 'last-member-forgets-that-the-other-is-gone',
  },
  {
    name: "a snapshot's mark goes to the log's former buffer",
    area: 'incident',
    file: 'wal/src/group-buffer.ts',
    find: `      const at = this.#begin(RECORD_TYPE.snapshotMark, meta.length);
      this.#records.bytes.set(meta, at);
`,
    replace:
      '      this.#records.bytes.set(meta, this.#begin(RECORD_TYPE.snapshotMark, meta.length));\n',
    plan: 'mark-in-the-buffer-of-before',
  },
  {
    name: 'who fetches a state waits for ever for an answer',
    area: 'incident',
    file: 'server/src/bootstrap/fetch-state.ts',
    find: 'const SILENCE_LIMIT_MS = 10_000;',
    replace: 'const SILENCE_LIMIT_MS = 10_000_000;',
    plan: 'answer-lost-while-a-state-is-fetched',
  },
  {
    name: 'a log that begins late for a snapshot that is gone misses a segment',
    area: 'incident',
    file: 'wal/src/recovery.ts',
    find: 'const missing = missingSnapshot ?? passedOver ?? unusable;',
    replace: 'const missing = missingSnapshot ?? unusable;',
    plan: 'log-begins-late-and-the-database-is-gone',
  },
  {
    name: 'a change of members is handed on to another leader than the one that judged it',
    area: 'incident',
    file: 'raft/src/proposals.ts',
    find: 'if (inTerm !== undefined && (!isLeader || raft.term !== inTerm)) {',
    replace: 'if (inTerm !== undefined && inTerm > raft.term) {',
    also: [
      {
        file: 'server/src/requests/config-changes.ts',
        find: "if (role !== 'leader') {",
        replace: "if (role !== 'leader' && term < 0) {",
      },
    ],
    plan: 'change-judged-by-a-deposed-leader',
  },
  {
    name: 'a log that has failed rejects when it is closed, and nobody looks at it',
    area: 'incident',
    file: 'wal/src/log-writer.ts',
    find: 'if (this.#failure === undefined) await this.#closeWhole();',
    replace: `if (this.#failure !== undefined) throw this.#failure;
      await this.#closeWhole();`,
    also: [
      {
        file: 'server/src/bootstrap/storage.ts',
        find: 'if (!isRevoked) throw error;',
        replace: 'if (error !== undefined || isRevoked) throw error;',
      },
      {
        file: 'server/src/etcd-node.ts',
        find: "this.#env.log.error('the member could not give up all that it held', { error });",
        replace: 'throw error;',
      },
    ],
    plan: 'rejection-of-a-log-that-failed',
  },
  {
    name: 'what is behind the end of the file in its last sector stays when a log is opened',
    area: 'incident',
    file: 'wal/src/open-wal.ts',
    find: 'if (repaired === undefined) await fillLastSector(file);',
    replace: 'if (repaired === undefined && at < 0) await fillLastSector(file);',
    plan: 'content-behind-the-end-of-the-file',
  },
  {
    name: 'stopping ends at the first step that fails',
    area: 'incident',
    file: 'base/src/end-all.ts',
    find: 'failure ??= { error };',
    replace: 'throw error;',
    plan: 'directory-kept-by-a-node-that-stopped',
  },
  {
    name: 'a fetched state that ends where the newest mark is lets go of what the log holds behind it',
    area: 'incident',
    file: 'server/src/bootstrap/match.ts',
    find: 'const held = snapshot === undefined ? entries : [snapshot, ...entries];',
    replace: 'const held = entries;',
    also: [
      {
        file: 'server/src/bootstrap/match.ts',
        find: 'assert(endsAt === holds,',
        replace: 'assert(endsAt <= holds,',
      },
    ],
    plan: 'entries-behind-a-fetched-state',
  },
  {
    name: 'who fetches a state takes in two at once, and waits for none but the one asked for',
    area: 'incident',
    file: 'server/src/bootstrap/state-receiver.ts',
    find: 'if (this.#ending !== undefined || this.#fetched !== undefined) {',
    replace: 'if (minIndex < 0) {',
    also: [
      {
        file: 'server/src/bootstrap/fetch-state.ts',
        find: '    await receiver.settled();\n',
        replace: '',
      },
    ],
    plan: 'two-states-into-one-database',
  },
  {
    name: 'other databases go before the one that is gone on with is durable',
    area: 'incident',
    file: 'server/src/bootstrap/recovery.ts',
    find: 'if (others.length + gone.length > 0) await chosen.backend.sync();',
    replace: '',
    plan: 'database-kept-that-was-never-synced',
  },
];
