/** Which characters of our sources have run, by V8's own block coverage; the feedback that fuzzing goes by. */
import { type Profiler, Session } from 'node:inspector';

/** Coverage of the sources whose address a pattern matches, since the start. */
export class Coverage {
  readonly #session = new Session();
  readonly #sources: RegExp;
  readonly #functions = new Map<string, Uint8Array>();

  constructor(sources: RegExp) {
    this.#sources = sources;
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** How many characters ran since the last look that had never run before; they have from now on, if `isKept`. */
  look(isKept: boolean): number {
    let news = 0;
    const { result } = this.#post(
      'Profiler.takePreciseCoverage',
    ) as Profiler.TakePreciseCoverageReturnType;
    for (const { url, functions } of result) {
      if (!this.#sources.test(url)) continue;
      for (const one of functions) news += this.#compare(url, one, isKept);
    }
    return news;
  }

  /** Characters that have run, and all of the functions that V8 knows of. */
  get total(): { readonly covered: number; readonly all: number } {
    let [covered, all] = [0, 0];
    for (const characters of this.#functions.values()) {
      all += characters.length;
      covered += characters.reduce((sum, one) => sum + one, 0);
    }
    return { covered, all };
  }

  close(): void {
    this.#session.disconnect();
  }

  #compare(
    url: string,
    { functionName, ranges }: Profiler.FunctionCoverage,
    isKept: boolean,
  ): number {
    const [{ startOffset: start, endOffset: end } = { startOffset: 0, endOffset: 0 }] = ranges;
    // The module's own code runs once, before anything is tried.
    if (functionName === '' && start === 0) return 0;
    const key = `${url}:${start}`;
    const seen = this.#functions.get(key) ?? new Uint8Array(end - start);
    this.#functions.set(key, seen);
    // An inner range says more than the outer one that it is in, and comes after it.
    const runs = new Uint8Array(end - start);
    for (const { count, startOffset, endOffset } of ranges) {
      runs.fill(count > 0 ? 1 : 0, startOffset - start, endOffset - start);
    }
    let news = 0;
    for (let i = 0; i < runs.length; i++) {
      if (runs[i] === 0 || seen[i] === 1) continue;
      news += 1;
      if (isKept) seen[i] = 1;
    }
    return news;
  }

  /** Commands of the profiler are carried out before `post` returns. */
  #post(method: string, params: object = {}): unknown {
    let answer: unknown;
    this.#session.post(method, params, (error: Error | null, result: unknown) => {
      if (error !== null) throw error;
      answer = result;
    });
    return answer;
  }
}
