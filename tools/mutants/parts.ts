/**
 * A run over all planted bugs in parts: what each part found is kept until the last one is there, and is void as soon as
 * a source, a test or the list of bugs has changed.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What became of one planted bug. */
export interface Found {
  readonly name: string;
  /** The test that failed; empty when none did. */
  readonly killer: string;
}

/** The parts of a run over one package. */
export class Parts {
  readonly #folder: string;

  constructor(packageFolder: string) {
    const print = fingerprint(packageFolder);
    this.#folder = join(packageFolder, 'node_modules', '.mutants', print);
    mkdirSync(this.#folder, { recursive: true });
  }

  /** Whether the tests were seen to pass without a bug. */
  get isSound(): boolean {
    return existsSync(join(this.#folder, 'sound'));
  }

  /** The tests pass without a bug. */
  foundSound(): void {
    writeFileSync(join(this.#folder, 'sound'), '');
  }

  /** Keeps what a part (`2/5`) found. @returns what all parts found, in the order of `names`, once nothing is missing. */
  keep(
    part: string,
    results: readonly Found[],
    names: readonly string[],
  ): readonly Found[] | undefined {
    const file = `${part.replace('/', '-of-')}.json`;
    writeFileSync(join(this.#folder, file), JSON.stringify(results));
    const found = new Map<string, Found>();
    for (const each of readdirSync(this.#folder)) {
      if (!each.endsWith('.json')) continue;
      const kept = JSON.parse(readFileSync(join(this.#folder, each), 'utf8')) as Found[];
      for (const result of kept) found.set(result.name, result);
    }
    const all = names.flatMap((name) => found.get(name) ?? []);
    return all.length === names.length ? all : undefined;
  }
}

/** Every n-th item, beginning with the i-th, for a part `i/n`. */
export function partOf<T>(items: readonly T[], part: string): readonly T[] {
  const [i = 1, n = 1] = part.split('/').map(Number);
  return items.filter((_, at) => at % n === i - 1);
}

/** Of everything that a result depends on. */
function fingerprint(packageFolder: string): string {
  const hash = createHash('sha256');
  for (const folder of ['src', 'test', 'scripts']) {
    const files = readdirSync(join(packageFolder, folder), { recursive: true }).map(String).sort();
    for (const file of files) {
      if (!file.endsWith('.ts')) continue;
      hash.update(`${file}\0`).update(readFileSync(join(packageFolder, folder, file)));
    }
  }
  return hash.digest('hex');
}
