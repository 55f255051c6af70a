/** A6: all members hold the same at one revision, down to what a compaction has left (CP3, R11). */
import type { SimCluster } from './sim-cluster.ts';

const CALL_TIMEOUT_MS = 3_000;

/** Asks every member for the hash of the newest revision that all of them have. */
export async function checkHashes(cluster: SimCluster): Promise<void> {
  const { ghost, present, world } = cluster;
  const serving = present.filter((member) => member.state !== undefined);
  const revision = Math.min(...serving.map((member) => member.state?.store.revision ?? 1));
  const answers = await Promise.all(
    serving.map(async (member) => {
      const channel = cluster.connect('auditor', member);
      try {
        const request = { revision };
        const options = { timeoutMs: CALL_TIMEOUT_MS };
        return await channel.unary('etcdserverpb.Maintenance/HashKV', request, options);
      } catch {
        // Down, out of reach, or compacted further than the revision meanwhile.
        return undefined;
      }
    }),
  );
  const known = new Map<number, { readonly hash: number; readonly member: number }>();
  answers.forEach((answer, i) => {
    const member = serving[i]?.number ?? 0;
    if (answer === undefined) return;
    const { hash, compactRevision } = answer;
    const other = known.get(compactRevision);
    if (other === undefined) known.set(compactRevision, { hash, member });
    else if (other.hash !== hash) {
      ghost.findings.add(
        'CP3',
        `at revision ${revision}, compacted to ${compactRevision}, member ${member} has hash ${hash}, member ${other.member} has ${other.hash}`,
        [],
        world.nowUs,
      );
    }
  });
}
