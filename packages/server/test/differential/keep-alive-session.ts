/** One LeaseKeepAlive stream on each of two servers: every request has one answer, in order. */
import type {
  Channel,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  StreamCall,
} from '@etcd-ts/protocol';
import { type Answer, errorAnswer, plain } from './answer.ts';

type Call = StreamCall<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

/** One side of the session. */
class Side {
  readonly #call: Call;
  readonly #responses: AsyncIterator<LeaseKeepAliveResponse>;

  constructor(channel: Channel) {
    this.#call = channel.stream('etcdserverpb.Lease/LeaseKeepAlive');
    this.#responses = this.#call.responses[Symbol.asyncIterator]();
  }

  async ask(ID: bigint): Promise<Answer> {
    try {
      this.#call.send({ ID });
      return { ok: (await this.#responses.next()).value };
    } catch (error) {
      return errorAnswer(error);
    }
  }

  close(): void {
    this.#call.cancel();
  }
}

/** See the file's head. */
export class KeepAliveSession {
  readonly #sides: readonly [Side, Side];

  constructor(ours: Channel, theirs: Channel) {
    this.#sides = [new Side(ours), new Side(theirs)];
  }

  /** Renews a lease on both. */
  async renew(id: bigint): Promise<readonly [unknown, unknown]> {
    const [ours, theirs] = await Promise.all(this.#sides.map((side) => side.ask(id)));
    return [plain(ours), plain(theirs)];
  }

  close(): void {
    for (const side of this.#sides) side.close();
  }
}
