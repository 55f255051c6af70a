/** The text format of Prometheus, read back. */

/** A metric as a page shows it. */
export interface Exposed {
  readonly type: string;
  /** Every line's name, labels and value. */
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The metrics of a page by name. @throws Error for a line that is none, or a sample without a TYPE before it. */
export function readExposition(page: string): ReadonlyMap<string, Exposed> {
  const metrics = new Map<string, { type: string; samples: Sample[] }>();
  let current: { type: string; samples: Sample[] } | undefined;
  for (const line of page.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) {
      const [, name = '', kind = ''] = type;
      if (metrics.has(name)) throw new Error(`metric ${name} twice`);
      current = { type: kind, samples: [] };
      metrics.set(name, current);
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (sample === null || current === undefined) throw new Error(`no sample: ${line}`);
    const [, name = '', labels = '', value = ''] = sample;
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    current.samples.push({
      name,
      labels: Object.fromEntries(pairs.map(([, key = '', text = '']) => [key, text])),
      value: Number(value),
    });
  }
  return metrics;
}

/** One value of a page, by name and labels (all that are given must match); the sum when there are several. */
export function valueOf(
  page: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  let sum = 0;
  for (const { samples } of readExposition(page).values()) {
    for (const sample of samples) {
      if (sample.name !== name) continue;
      const matches = Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
      if (matches) sum += sample.value;
    }
  }
  return sum;
}
