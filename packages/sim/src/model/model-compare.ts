/** How etcd judges one compare of a transaction (server/etcdserver/txn/txn.go). */
import { compareBytes } from '@etcd-ts/base';
import type { Compare, KeyValue } from '@etcd-ts/mvcc';

/** True when the compare holds for this key; `undefined` when the key is not there. */
export function compareHolds(compare: Compare, kv: KeyValue | undefined): boolean {
  const wanted = compare.targetUnion;
  switch (compare.target) {
    case 0:
      return judge(
        compare.result,
        (kv?.version ?? 0) - (wanted?.$case === 'version' ? wanted.value : 0),
      );
    case 1:
      return judge(
        compare.result,
        (kv?.createRevision ?? 0) - (wanted?.$case === 'createRevision' ? wanted.value : 0),
      );
    case 2:
      return judge(
        compare.result,
        (kv?.modRevision ?? 0) - (wanted?.$case === 'modRevision' ? wanted.value : 0),
      );
    case 3:
      // The value of an absent key is like none, not even unlike any other.
      if (kv === undefined) return false;
      return judge(
        compare.result,
        compareBytes(kv.value, wanted?.$case === 'value' ? wanted.value : new Uint8Array(0)),
      );
    case 4:
      return judge(
        compare.result,
        Number((kv?.lease ?? 0n) - (wanted?.$case === 'lease' ? wanted.value : 0n)),
      );
    default:
      return judge(compare.result, 0);
  }
}

function judge(result: number, difference: number): boolean {
  switch (result) {
    case 0:
      return difference === 0;
    case 1:
      return difference > 0;
    case 2:
      return difference < 0;
    case 3:
      return difference !== 0;
    default:
      return true;
  }
}
