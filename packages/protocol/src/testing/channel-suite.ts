/**
 * What every Channel must do, as claims that any test runner can run.
 *
 * @example
 * for (const claim of channelSuite) test(claim.name, () => claim.run(makeChannel));
 */
import type { Channel } from '../channel.ts';
import type { Handlers } from '../services.ts';
import { streamClaims } from './stream-claims.ts';
import { unaryClaims } from './unary-claims.ts';

/** A channel to handlers, and what belongs to it. */
export interface ChannelWorld {
  readonly channel: Channel;
  /** Lets so many milliseconds pass, where time is not real; otherwise may do nothing. */
  passTime(ms: number): void;
  /** Frees everything. */
  close(): Promise<void>;
}

/** Makes a channel to these handlers. */
export type MakeChannel = (handlers: Handlers) => Promise<ChannelWorld>;

/** One claim. `run` rejects with an InvariantError that says what was otherwise. */
export interface ChannelClaim {
  readonly name: string;
  run(make: MakeChannel): Promise<void>;
}

/** All claims. */
export const channelSuite: readonly ChannelClaim[] = [...unaryClaims, ...streamClaims];
