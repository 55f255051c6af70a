/**
 * Which backend a new connection of the gateway goes to: of those that can be reached, the ones of the best priority, by
 * weight where they have weights, in turn otherwise (etcd server/proxy/tcpproxy).
 */

/** A backend of the gateway. */
export interface Backend {
  /** `host:port`. */
  readonly address: string;
  /** Least first. */
  readonly priority: number;
  /** Share among those of one priority; 0: in turn. */
  readonly weight: number;
}

/** The backends, and which of them can be reached. */
export class Backends {
  readonly #all: readonly Backend[];
  readonly #inactive = new Set<string>();
  #turn = 0;

  constructor(all: readonly Backend[]) {
    this.#all = all;
  }

  /** Those that could not be reached when they were last tried. */
  get inactive(): readonly Backend[] {
    return this.#all.filter(({ address }) => this.#inactive.has(address));
  }

  /**
   * The backend for the next connection; undefined when none can be reached.
   *
   * @param draw Uniform in [0, 1).
   */
  pick(draw: () => number): Backend | undefined {
    const active = this.#all.filter(({ address }) => !this.#inactive.has(address));
    const best = Math.min(...active.map(({ priority }) => priority));
    const candidates = active.filter(({ priority }) => priority === best);
    const weighted = candidates.filter(({ weight }) => weight > 0);
    if (weighted.length > 0) return byWeight(weighted, draw());
    if (candidates.length === 0) return undefined;
    this.#turn += 1;
    return candidates[this.#turn % candidates.length];
  }

  /** False: it was known to be out of reach already. */
  deactivate({ address }: Backend): boolean {
    if (this.#inactive.has(address)) return false;
    this.#inactive.add(address);
    return true;
  }

  activate({ address }: Backend): void {
    this.#inactive.delete(address);
  }
}

function byWeight(backends: readonly Backend[], draw: number): Backend | undefined {
  let left = draw * backends.reduce((sum, { weight }) => sum + weight, 0);
  for (const backend of backends) {
    left -= backend.weight;
    if (left < 0) return backend;
  }
  return backends.at(-1);
}
