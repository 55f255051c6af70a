/** Runs one step on both clusters and puts what came out side by side. */
import { toLatin1 } from '@etcd-ts/base';
import type { Ran } from '../harness/cluster.ts';
import type { Format, Step } from './script.ts';
import type { Side } from './side.ts';

/** What a command gave, in a form that two clusters can share. */
export interface Outcome {
  readonly code: number;
  readonly stdout: unknown;
  readonly stderr: string;
}

/** Runs the step in one form of output. */
export async function outcomeOf(side: Side, step: Step, format: Format): Promise<Outcome> {
  const { args, at = 0, input, save } = step;
  const form = format === 'simple' ? [] : ['-w', format];
  const encoding = format === 'protobuf' ? 'latin1' : 'utf8';
  const ran = await side.run([...args(side, format), ...form], { at, input, encoding });
  if (save !== undefined) {
    const [name, pattern] = save;
    const found = pattern.exec(ran.stdout)?.[1];
    if (found !== undefined) side.vars.set(name, found);
  }
  return {
    code: ran.code,
    stdout:
      format === 'protobuf' && ran.code === 0
        ? decoded(ran, step)
        : text(side, ran.stdout, step, format),
    stderr: hidden(side.normal(ran.stderr), step),
  };
}

function text(side: Side, output: string, step: Step, format: Format): string {
  let normal = side.normal(output);
  // The width of a table is that of its ids.
  if (format === 'table') normal = normal.replaceAll(/ +/g, ' ').replaceAll(/─+/g, '─');
  normal = hidden(normal, step);
  if (step.unordered !== true) return normal;
  return format === 'json'
    ? sortedJson(normal)
    : normal
        .split(/[\n,"]/)
        .sort()
        .join('\n');
}

/** Elements of lists in an order of their own; ids have become numbers that JSON can hold. */
function sortedJson(output: string): string {
  const lines = output.split('\n').filter((line) => line !== '');
  const quoted = lines.map((line) => line.replaceAll(/:(<[a-z]+>|[A-Z]+)(?=[,}\]])/g, ':"$1"'));
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted).sort(byText);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, sorted(one)]));
  };
  return quoted.map((line) => JSON.stringify(sorted(JSON.parse(line)))).join('\n');
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

function hidden(output: string, { hide = [] }: Step): string {
  return hide.reduce((all, [pattern, stands]) => all.replace(pattern, stands), output);
}

/** Ids and terms are a cluster's own; everything else of the message counts. */
const OWN = new Set(['clusterId', 'memberId', 'raftTerm', 'ID', 'peerURLs', 'clientURLs', 'lease']);

function decoded({ stdout }: Ran, { codec, command }: Step): unknown {
  if (codec === undefined) throw new Error(`${command} -w protobuf: of which message?`);
  const plain = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return toLatin1(value);
    if (Array.isArray(value)) return value.map(plain).sort(byText);
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([name]) => !OWN.has(name))
        .map(([name, one]) => [name, plain(one)]),
    );
  };
  return plain(codec.decode(new Uint8Array(Buffer.from(stdout, 'latin1'))));
}
