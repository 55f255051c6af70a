/**
 * The signal by which a member learns that a client has given a call up.
 *
 * An AbortSignal in what its users need of it, and nothing beside: nearly every call ends well, and then the platform's
 * own signal, with its event target, would have been made for nothing.
 */
type Listener = (event: Event) => void;
type AbortListener = Parameters<AbortSignal['addEventListener']>[1];

/** See the head of this file. Aborted at most once. */
export class CallSignal implements AbortSignal {
  aborted = false;
  reason: unknown = undefined;
  onabort: ((this: AbortSignal, event: Event) => unknown) | null = null;
  #listeners: Listener[] | undefined;

  /** Tells everybody who listens. The first reason counts. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.dispatchEvent(new Event('abort'));
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  /** For `abort` alone, which comes once: options change nothing. */
  addEventListener(type: string, listener: AbortListener): void {
    if (type !== 'abort' || typeof listener !== 'function') {
      throw new TypeError(`a call's signal has no listener of this kind for ${type}`);
    }
    this.#listeners ??= [];
    this.#listeners.push(listener);
  }

  removeEventListener(_type: string, listener: AbortListener): void {
    const at = this.#listeners?.findIndex((each) => each === listener) ?? -1;
    if (at >= 0) this.#listeners?.splice(at, 1);
  }

  dispatchEvent(event: Event): boolean {
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    this.onabort?.(event);
    for (const listener of listeners) listener(event);
    return true;
  }
}
