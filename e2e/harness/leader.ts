import { connect } from '@etcd-ts/client/node';
import type { Member } from './member.ts';

/** Long enough for any election. */
const LEADER_LIMIT_MS = 30_000;

/** Waits. Processes are awaited here, not a clock of ours. */
export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** The member that all running members take for the leader, waiting until there is one. */
export async function findLeader(members: readonly Member[]): Promise<Member> {
  const clients = members.map((member) =>
    connect({ endpoints: [member.endpoint], timeoutMs: 1_000 }),
  );
  const deadline = Date.now() + LEADER_LIMIT_MS;
  try {
    while (Date.now() < deadline) {
      const answers = await Promise.all(
        clients.map((client) => client.status().catch(() => undefined)),
      );
      const leader = answers.findIndex(
        (each) => each !== undefined && each.leader === each.header?.memberId,
      );
      if (leader >= 0) return members[leader] as Member;
      await pause(50);
    }
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
  throw new Error(`no leader after ${LEADER_LIMIT_MS} ms`);
}
