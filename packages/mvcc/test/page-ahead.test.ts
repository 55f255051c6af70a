import { expect, onTestFinished, test } from 'vitest';
import { pageAhead } from '../src/read-ahead.ts';

test('a page that fails before anybody waits for it is no unhandled rejection, and fails whoever does', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  onTestFinished(() => void process.off('unhandledRejection', note));

  const page = pageAhead({ nextPage: () => Promise.reject(new Error('closed')) }, 10);
  await new Promise(setImmediate);
  await new Promise(setImmediate);

  expect(unhandled).toEqual([]);
  await expect(page).rejects.toThrow('closed');
});
