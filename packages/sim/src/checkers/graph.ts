/** A directed graph of what came before what, and the search for a cycle in it; both in linear time. */

/** A stretch of time in which something happened. */
export interface Interval {
  readonly from: number;
  /** Infinity when nobody knows. */
  readonly to: number;
}

/** See the file's head. Nodes are numbered from 0. */
export class Graph {
  readonly #edges: number[][] = [];
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
    for (let i = 0; i < size; i++) this.#edges.push([]);
  }

  /** One came before the other. Nothing when either is unknown, or both are the same. */
  connect(before: number | undefined, after: number | undefined): void {
    if (before === undefined || after === undefined || before === after) return;
    this.#edges[before]?.push(after);
  }

  /** What had ended when another began came before it: through one node for each end, in the order of time. */
  connectByTime(intervals: readonly Interval[]): void {
    const order = intervals.map((_, node) => node);
    const byEnd = order.filter((node) => intervals[node]?.to !== Infinity);
    byEnd.sort((a, b) => (intervals[a]?.to ?? 0) - (intervals[b]?.to ?? 0));
    const byBegin = order.sort((a, b) => (intervals[a]?.from ?? 0) - (intervals[b]?.from ?? 0));
    let latest: number | undefined;
    let next = 0;
    for (const node of byBegin) {
      for (; next < byEnd.length; next++) {
        const ended = byEnd[next] as number;
        if ((intervals[ended]?.to ?? 0) >= (intervals[node]?.from ?? 0)) break;
        const moment = this.#edges.push([]) - 1;
        this.connect(latest, moment);
        this.connect(ended, moment);
        latest = moment;
      }
      this.connect(latest, node);
    }
  }

  /** The nodes of some cycle, in no particular order; undefined when there is none (Tarjan, 1972, without recursion). */
  findCycle(): readonly number[] | undefined {
    const count = this.#edges.length;
    const index = new Int32Array(count).fill(-1);
    const low = new Int32Array(count);
    const isOpen = new Uint8Array(count);
    const open: number[] = [];
    let next = 0;
    for (let root = 0; root < count; root++) {
      if (index[root] !== -1) continue;
      const path: { readonly node: number; edge: number }[] = [{ node: root, edge: 0 }];
      while (path.length > 0) {
        const at = path.at(-1) as { readonly node: number; edge: number };
        const { node } = at;
        if (at.edge === 0) {
          index[node] = low[node] = next++;
          open.push(node);
          isOpen[node] = 1;
        }
        const target = this.#edges[node]?.[at.edge++];
        if (target !== undefined) {
          if (index[target] === -1) path.push({ node: target, edge: 0 });
          else if (isOpen[target] === 1) low[node] = Math.min(low[node] ?? 0, index[target] ?? 0);
          continue;
        }
        path.pop();
        const parent = path.at(-1)?.node;
        if (parent !== undefined) low[parent] = Math.min(low[parent] ?? 0, low[node] ?? 0);
        if (low[node] !== index[node]) continue;
        const component = open.splice(open.indexOf(node));
        for (const each of component) isOpen[each] = 0;
        if (component.length > 1) return component.filter((each) => each < this.#size);
      }
    }
    return undefined;
  }
}
