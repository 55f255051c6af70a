export { type Event, EVENT_DELETE, EVENT_PUT, type KeyValue } from './key-value.ts';
export type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResult,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
  RequestOp,
  TxnOpResult,
  TxnRequest,
  TxnResult,
} from './request.ts';
