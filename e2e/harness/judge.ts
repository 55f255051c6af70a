/** What must hold at the end, whatever happened on the way. */
import { fromUtf8 } from '@etcd-ts/base';
import { connect } from '@etcd-ts/client/node';
import type { Acknowledged, Ledger } from './load.ts';
import type { Member } from './member.ts';

/** Everything that is wrong at the end, in words; empty when nothing is. */
export async function judge(members: readonly Member[], ledger: Ledger): Promise<string[]> {
  const wrong = [...ledger.violations, ...repeatedRevisions(ledger.acknowledged)];
  const heads = await Promise.all(members.map(readHead));
  for (const { revision, hash } of heads) {
    const [first] = heads;
    if (revision !== first?.revision || hash !== first.hash) {
      wrong.push(`members differ: ${JSON.stringify(heads)}`);
      break;
    }
  }
  for (const member of members) wrong.push(...(await judgeMember(member, ledger)));
  return wrong;
}

function repeatedRevisions(acknowledged: readonly Acknowledged[]): string[] {
  const seen = new Map<number, string>();
  return acknowledged.flatMap(({ key, revision }) => {
    const other = seen.get(revision);
    seen.set(revision, key);
    return other === undefined ? [] : [`${key} and ${other} were both told revision ${revision}`];
  });
}

async function readHead(member: Member): Promise<{ name: string; revision: number; hash: number }> {
  const client = connect({ endpoints: [member.endpoint] });
  // A linearizable read first: the member has then applied everything that was committed.
  const { revision } = await client.getAll('head');
  const { hash } = await client.maintenance.hashKV(revision);
  await client.close();
  return { name: member.name, revision, hash };
}

/** Compares a member's keys and its whole history with the ledger. */
async function judgeMember(member: Member, ledger: Ledger): Promise<string[]> {
  const client = connect({ endpoints: [member.endpoint] });
  const wrong: string[] = [];
  try {
    const { revision: head } = await client.getAll('head');
    const found = new Map<string, { value: string; revision: number }>();
    for await (const entry of client.entries(
      { prefix: 'load/' },
      { serializable: true, revision: head },
    )) {
      found.set(entry.keyText, { value: entry.text, revision: entry.modRevision });
    }
    for (const { key, value, revision } of ledger.acknowledged) {
      const there = found.get(key);
      if (there?.value !== value || there.revision !== revision) {
        wrong.push(`${member.name}: ${key} of revision ${revision} is ${JSON.stringify(there)}`);
      }
    }
    const allowed = ledger.acknowledged.length + ledger.unknown.length;
    if (found.size > allowed)
      wrong.push(`${member.name}: ${found.size} keys, at most ${allowed} were written`);
    let next = 2;
    for await (const event of client.watch({ prefix: 'load/' }, { startRevision: 1 })) {
      const { modRevision, key } = event.entry;
      if (modRevision !== next)
        wrong.push(`${member.name}: ${fromUtf8(key)} is at ${modRevision}, not ${next}`);
      next = modRevision + 1;
      if (modRevision >= head) break;
    }
  } finally {
    await client.close();
  }
  return wrong;
}
