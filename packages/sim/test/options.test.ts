/** The command line of the simulator. */
import { describe, expect, it } from 'vitest';
import { type CommandOptions, readCommandLine } from '../src/node/options.ts';

const read = (...args: string[]): CommandOptions => {
  const options = readCommandLine(args);
  if (options === 'help') throw new Error('it was to run');
  return options;
};

describe('the number of seeds', () => {
  it('has a default where nothing says when to end', () => {
    expect(read().seeds).toBe(100);
    expect(read('--keep-going').seeds).toBe(100);
  });

  it.each(['--minutes', '--cpu-minutes'])(
    'has no limit where %s alone says when to end',
    (name) => {
      expect(read(name, '90').seeds).toBe(Infinity);
    },
  );

  it('is what was asked for, also where minutes are given', () => {
    expect(read('--minutes', '90', '--seeds', '5')).toMatchObject({ seeds: 5, jobs: 1 });
  });
});
