import { ErrorCode, Http2Error } from './frame.ts';
import { RateLimit } from './rate-limit.ts';

/**
 * Frames that do nothing (SETTINGS, PRIORITY, empty DATA, unknown types, windows widened for nothing sent) that are
 * taken at once, and a second in the long run.
 */
export const IDLE_FRAME_BURST = 10_000;
/** See {@link IDLE_FRAME_BURST}. */
export const IDLE_FRAMES_PER_SECOND = 1_000;

/** A peer may widen its windows so often for each time that we send, and once more for so many bytes. */
const UPDATES_PER_SEND = 4;
const BYTES_PER_UPDATE = 1024;

/** Counts a peer's frames that do nothing; too many of them end the connection. */
export class IdleFrames {
  readonly #monotonicMs: () => number;
  readonly #limit: RateLimit;
  /** WINDOW_UPDATEs that what we have sent may bring about. */
  #updates = 0;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#limit = new RateLimit(IDLE_FRAME_BURST, IDLE_FRAMES_PER_SECOND, monotonicMs());
  }

  /** We have sent DATA. */
  sent(bytes: number): void {
    const updates = this.#updates + UPDATES_PER_SEND + bytes / BYTES_PER_UPDATE;
    this.#updates = Math.min(updates, IDLE_FRAME_BURST);
  }

  /** A WINDOW_UPDATE came. @throws Http2Error as {@link count}, when nothing was sent that it could be for. */
  windowUpdated(): void {
    if (this.#updates >= 1) this.#updates -= 1;
    else this.count();
  }

  /** A frame came that does nothing. @throws Http2Error ENHANCE_YOUR_CALM. */
  count(): void {
    if (this.#limit.allows(this.#monotonicMs())) return;
    throw new Http2Error(ErrorCode.ENHANCE_YOUR_CALM, 'too many frames without effect');
  }
}
