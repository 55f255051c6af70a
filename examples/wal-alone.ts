/** The log without the rest: append, crash, recover. */
import { clusterId, memberId, utf8, fromUtf8 } from '@etcd-ts/base';
// #region wal
import { openWal } from '@etcd-ts/wal';
import { CrashDisk } from '@etcd-ts/wal/testing';

const disk = new CrashDisk(); // NodeDisk of @etcd-ts/wal/node for real
const metadata = { clusterId: clusterId(1n), memberId: memberId(1n) };
const { wal } = await openWal({ disk, directory: 'wal', metadata });

const entry = (index: number, text: string) => ({
  index,
  term: 1,
  payload: { kind: 'command' as const, data: utf8(text) },
});
await wal.append({ entries: [entry(1, 'one'), entry(2, 'two')] }, { sync: true });
disk.crash();

const { recovered } = await openWal({ disk, directory: 'wal', metadata });
for (const { index, payload } of recovered?.entries ?? []) {
  if (payload.kind === 'command') console.log(index, fromUtf8(payload.data));
}
// #endregion
