/** Bugs in what changes who decides, in what is applied, and in how clients try again. */
import type { Mutant } from './mutant.ts';

/** See the file's head. */
export const MEMBERSHIP_MUTANTS: readonly Mutant[] = [
  {
    name: 'whoever is removed goes on counting',
    area: 'membership',
    file: 'raft/src/conf-change.ts',
    find: 'function remove(draft: Draft, id: NodeId): void {\n  draft.voters.delete(id);',
    replace: 'function remove(draft: Draft, id: NodeId): void {',
    profile: 'members',
  },
  {
    name: 'a promoted learner gets no vote',
    area: 'membership',
    file: 'raft/src/conf-change.ts',
    find: '  draft.voters.add(id);',
    replace: '  if (draft.voters.size < 2) draft.voters.add(id);',
    profile: 'members',
  },
  {
    name: 'half of the members are a quorum',
    area: 'membership',
    file: 'raft/src/quorum.ts',
    find: '  return acknowledged[count - majority(count)] ?? 0;',
    replace: '  return acknowledged[count - Math.max(1, Math.floor(count / 2))] ?? 0;',
    profile: 'members',
  },
  {
    name: 'a change of members is not written down',
    area: 'membership',
    file: 'server/src/membership/membership.ts',
    find: "      if (op !== 'update' || known !== undefined) this.#members.set(node, member);\n    }\n    this.#write();",
    replace:
      "      if (op !== 'update' || known !== undefined) this.#members.set(node, member);\n    }",
    profile: 'members',
  },
  {
    name: 'the configuration is not written down',
    area: 'membership',
    file: 'server/src/apply/replicated-state.ts',
    find: '    this.store.meta.set(CONF_STATE_RECORD, encodeConfState(confState));',
    replace:
      '    if (confState.learners.length > 0) this.store.meta.set(CONF_STATE_RECORD, encodeConfState(confState));',
    profile: 'members',
  },
  {
    name: 'a lease with one key goes without it',
    area: 'apply',
    file: 'server/src/apply/lease-commands.ts',
    find: '  if (keys.length > 0) {',
    replace: '  if (keys.length > 1) {',
    profile: 'lease',
  },
  {
    name: 'an empty entry is not counted as applied',
    area: 'apply',
    file: 'server/src/apply/replicated-state.ts',
    find: '    this.#assertNext(index);\n    this.store.setApplied(index, term);\n  }\n\n  /** Applies a membership change. */',
    replace:
      '    this.#assertNext(index);\n    if (term % 2 === 0) this.store.setApplied(index, term);\n  }\n\n  /** Applies a membership change. */',
    profile: 'network',
  },
  {
    name: 'the version goes on over a delete',
    area: 'apply',
    file: 'mvcc/src/write-txn.ts',
    find: '    const version = index.versionOf(slot) + 1;',
    replace: '    const version = index.versionOf(slot) + (main % 7 === 0 ? 2 : 1);',
    profile: 'calm',
  },
  {
    name: 'a write of unknown outcome is tried again',
    area: 'client',
    file: 'client/src/caller.ts',
    find: "(effect === 'read' || !error.mayHaveApplied)",
    replace: 'effect.length > 0',
    profile: 'default',
  },
  {
    name: 'a transaction counts as a read',
    area: 'client',
    file: 'client/src/etcd-client.ts',
    find: "isReadOnly(request) ? 'read' : 'write'",
    replace: "request.compare.length >= 0 ? 'read' : 'write'",
    profile: 'default',
  },
];
