/** Whether a request contradicts itself: etcd's checks at the door, before it is proposed. */
import type { MvccError } from './errors.ts';
import type { DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest } from './request.ts';
import type { WatchRequest } from './watch.ts';

/** @returns the first problem, or undefined. */
export declare function checkRange(request: RangeRequest): MvccError | undefined;
/** @returns the first problem, or undefined. */
export declare function checkPut(request: PutRequest): MvccError | undefined;
/** @returns the first problem, or undefined. */
export declare function checkDeleteRange(request: DeleteRangeRequest): MvccError | undefined;
/** @returns the first problem, or undefined. */
export declare function checkTxn(request: TxnRequest, opsMax: number): MvccError | undefined;
/** @returns the first problem, or undefined. */
export declare function checkWatch(request: WatchRequest): MvccError | undefined;
