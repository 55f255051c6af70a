/** Compares two servers with authentication on: several users ask, some of them change what the others may. */
import { isDeepStrictEqual } from 'node:util';
import { compareBytes } from '@etcd-ts/base';
import { AuthenticateRequest, type CallOptions, type Channel } from '@etcd-ts/protocol';
import { comparable, errorAnswer, type Answer } from './answer.ts';
import { drawAuth, SETUP } from './auth-requests.ts';
import { Draw } from './draw.ts';
import { drawUnary } from './requests.ts';
import type { Progress, UnaryStep } from './step.ts';
import { type Difference, follow, type RunResult } from './run.ts';

type Found = Omit<Difference, 'step'> | undefined;

/** Drives two empty servers with one seed. */
export async function compareAuth(
  ours: Channel,
  theirs: Channel,
  { seed, operations }: { seed: number; operations: number },
): Promise<RunResult> {
  const run = new AuthRun([ours, theirs], seed);
  for (const [i, step] of SETUP.entries()) {
    const found = await run.compare(step, NOBODY);
    if (found !== undefined) return { requests: i, difference: { step: -i, ...found } };
  }
  for (const name of ['root', 'ann', 'bob']) await run.login(name, name);
  for (let step = 1; step <= operations; step++) {
    const found = await run.step();
    if (found !== undefined) return { requests: step, difference: { step, ...found } };
  }
  return { requests: operations, difference: undefined };
}

/** Tokens of one user on the two servers. */
type Tokens = readonly [string | undefined, string | undefined];
const NOBODY: Tokens = [undefined, undefined];

class AuthRun {
  readonly #channels: readonly [Channel, Channel];
  readonly #draw: Draw;
  readonly #tokens = new Map<string, Tokens>();
  readonly #progress: Progress = {
    revision: 1,
    compactRevision: 0,
    isCompacted: false,
    // Alarms and nested transactions are compared elsewhere.
    isAlarmed: true,
    campaigns: new Map(),
  };

  constructor(channels: readonly [Channel, Channel], seed: number) {
    this.#channels = channels;
    this.#draw = new Draw(seed);
  }

  async step(): Promise<Found> {
    const draw = this.#draw;
    const who = draw.weighted([
      [3, 'root'],
      [4, 'ann'],
      [4, 'bob'],
      [1, 'nobody'],
      [1, 'liar'],
    ] as const);
    if (draw.oneIn(150))
      return this.login(
        draw.pick(['root', 'ann', 'bob', 'none']),
        draw.pick(['root', 'ann', 'bob']),
      );
    const tokens: Tokens =
      who === 'liar' ? ['made.up', 'made.up'] : (this.#tokens.get(who) ?? NOBODY);
    return this.compare(this.#request(who === 'root'), tokens);
  }

  async compare(step: UnaryStep, tokens: Tokens): Promise<Found> {
    const [a, b] = await this.#ask(step, tokens);
    follow(step, b, this.#progress);
    const [ours, theirs] = [comparable(step, a), comparable(step, b)];
    return isDeepStrictEqual(ours, theirs) ? undefined : { asked: step, ours, theirs };
  }

  /** Logs in on both; the tokens are each server's own. */
  async login(name: string, password: string): Promise<Found> {
    const request = AuthenticateRequest.fromPartial({ name, password });
    const step: UnaryStep = { method: 'etcdserverpb.Auth/Authenticate', request };
    const [a, b] = await this.#ask(step, NOBODY);
    if ('ok' in a && 'ok' in b) {
      const token = ({ ok }: { ok: unknown }): string => (ok as { token: string }).token;
      this.#tokens.set(name, [token(a), token(b)]);
      return undefined;
    }
    return isDeepStrictEqual(a, b) ? undefined : { asked: step, ours: a, theirs: b };
  }

  #request(isRoot: boolean): UnaryStep {
    if (this.#draw.oneIn(isRoot ? 2 : 6)) return drawAuth(this.#draw);
    for (;;) {
      const step = drawUnary(this.#draw, this.#progress);
      // What 3.5 refuses here with the texts of its inner layers, and alarms.
      if (step.method.startsWith('etcdserverpb.Maintenance/')) continue;
      // Whether a range without keys is permitted is an accident of real etcd's interval tree.
      if (!rangesOf(step).some(isWithoutKeys)) return step;
    }
  }

  async #ask(step: UnaryStep, tokens: Tokens): Promise<readonly [Answer, Answer]> {
    const one = async (channel: Channel, token: string | undefined): Promise<Answer> => {
      const options: CallOptions =
        token === undefined ? {} : { metadata: new Map([['token', token]]) };
      try {
        return { ok: await channel.unary(step.method, step.request, options) };
      } catch (error) {
        return errorAnswer(error);
      }
    };
    const [ours, theirs] = this.#channels;
    return Promise.all([one(ours, tokens[0]), one(theirs, tokens[1])]);
  }
}

interface KeyRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

function isWithoutKeys({ key, rangeEnd }: KeyRange): boolean {
  const isOpen = rangeEnd.length === 0 || (rangeEnd.length === 1 && rangeEnd[0] === 0);
  return !isOpen && compareBytes(key, rangeEnd) >= 0;
}

/** Every range that a request names; the generator nests nothing in this run. */
function rangesOf(step: UnaryStep): readonly KeyRange[] {
  switch (step.method) {
    case 'etcdserverpb.KV/Range':
    case 'etcdserverpb.KV/DeleteRange':
      return [step.request];
    case 'etcdserverpb.KV/Txn': {
      const { compare, success, failure } = step.request;
      const inOps = [...success, ...failure].flatMap(({ request }): readonly KeyRange[] =>
        request?.$case === 'requestRange' || request?.$case === 'requestDeleteRange'
          ? [request.value]
          : [],
      );
      return [...compare, ...inOps];
    }
    default:
      return [];
  }
}
