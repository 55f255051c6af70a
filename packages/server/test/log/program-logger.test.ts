import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { silentLogger, leveled, type Logger } from '../../src/logger.ts';
import { DEFAULT_LOG_ROTATION, type Program } from '../../src/node/flags/program.ts';
import { logStyle } from '../../src/node/log/log-style.ts';
import { programLogger } from '../../src/node/log/program-logger.ts';

const folder = mkdtempSync(join(tmpdir(), 'etcd-ts-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PROGRAM: Program = {
  logger: 'zap',
  logLevel: 'info',
  logFormat: 'json',
  logOutputs: ['default'],
  isLogRotated: false,
  logRotation: DEFAULT_LOG_ROTATION,
  configFile: '',
  showsVersion: false,
  featureGates: new Map(),
};

async function logged(program: Partial<Program>, say: (logger: Logger) => void): Promise<string[]> {
  const path = join(folder, 'a.log');
  rmSync(path, { force: true });
  const style = await logStyle({ ...PROGRAM, logOutputs: [path], ...program });
  const logger = programLogger(style);
  say(logger);
  await logger.close();
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}

test("a line is a JSON object with zap's fields, ids in hexadecimal, errors as text", async () => {
  const cause = new Error('disk full');
  const [line = ''] = await logged({}, (logger) =>
    logger.warn('failed to …', { 'member-id': 255n, error: new Error('no', { cause }), n: [1n] }),
  );
  const { ts, caller, ...rest } = JSON.parse(line) as Record<string, unknown>;
  expect(rest).toEqual({
    level: 'warn',
    msg: 'failed to …',
    'member-id': 'ff',
    error: 'no: disk full',
    n: ['1'],
  });
  expect(ts).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  expect(caller).toMatch(/^log\/program-logger\.test\.ts:\d+$/);
  expect(Object.keys(JSON.parse(line) as object).slice(0, 4)).toEqual([
    'level',
    'ts',
    'caller',
    'msg',
  ]);
});

test('the console form has tabs between time, level, caller, message and fields', async () => {
  const [line = ''] = await logged({ logFormat: 'console' }, (logger) =>
    logger.info('hello', { a: 1, b: 'x' }),
  );
  expect(line).toMatch(/^\S+Z\tinfo\tlog\/program-logger\.test\.ts:\d+\thello\t/);
  expect(line.split('\t').at(-1)).toBe('{"a": 1, "b": "x"}');
});

test('an error tells its causes, but nothing twice', async () => {
  const system = Object.assign(new Error('listen EADDRINUSE: address already in use 127.0.0.1:1'), {
    code: 'EADDRINUSE',
  });
  const errors = [
    new Error('listen tcp 127.0.0.1:1: bind: address already in use', { cause: system }),
    new Error('cannot connect to h:1: refused', { cause: new Error('refused') }),
    new Error('the disk', { cause: new Error('full', { cause: new Error('quota') }) }),
  ];
  const lines = await logged({}, (logger) => errors.forEach((error) => logger.warn('', { error })));
  expect(lines.map((line) => (JSON.parse(line) as { error: string }).error)).toEqual([
    'listen tcp 127.0.0.1:1: bind: address already in use',
    'cannot connect to h:1: refused',
    'the disk: full: quota',
  ]);
});

test('of a flood of one message the first hundred of a second are written, then every hundredth', () => {
  const lines: string[] = [];
  let nowMs = 1_000;
  const output = { write: (line: string) => void lines.push(line), close: () => Promise.resolve() };
  const logger = programLogger({ level: 'info', format: 'json', outputs: [output] }, () => nowMs);
  const written = (say: () => void, count: number): number => {
    lines.length = 0;
    for (let i = 0; i < count; i++) say();
    return lines.length;
  };
  expect(written(() => logger.warn('flood'), 350)).toBe(102);
  expect(written(() => logger.error('flood'), 50)).toBe(50);
  expect(written(() => logger.warn('another'), 50)).toBe(50);
  expect(written(() => logger.fatal('the end'), 150)).toBe(150);
  nowMs += 1_000;
  expect(written(() => logger.warn('flood'), 101)).toBe(100);
});

test('lines below the level are dropped', async () => {
  const lines = await logged({ logLevel: 'warn' }, (logger) => {
    logger.debug('a');
    logger.info('b');
    logger.warn('c');
    logger.error('d');
  });
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['c', 'd']);
});

test('the level may change at any time', async () => {
  const lines = await logged({ logLevel: 'error' }, (logger) => {
    logger.info('a');
    leveled(logger).level = 'debug';
    logger.debug('b');
    leveled(logger).level = 'panic';
    logger.error('c');
  });
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['b']);
});

test('a logger without a level gets one', () => {
  const said: string[] = [];
  const logger = leveled({ ...silentLogger, info: (message) => said.push(message) });
  logger.info('a');
  logger.level = 'warn';
  logger.info('b');
  expect(said).toEqual(['a']);
});

test('several outputs get every line', async () => {
  const paths = ['x.log', 'y.log'].map((name) => join(folder, name));
  const logger = programLogger(await logStyle({ ...PROGRAM, logOutputs: paths }));
  logger.info('both');
  await logger.close();
  for (const path of paths) expect(readFileSync(path, 'utf8')).toContain('"msg":"both"');
});

describe('refused', () => {
  const bad: readonly (readonly [Partial<Program>, string])[] = [
    [{ logger: 'capnslog' }, 'unknown logger option "capnslog"'],
    [{ logLevel: 'loud' }, 'unrecognized level: "loud"'],
    [{ logFormat: 'xml' }, 'unknown log format: xml, supported values json, console'],
    [{ logOutputs: ['default', 'stdout'] }, 'multi logoutput for "default" is not supported yet'],
    [
      { logOutputs: ['/nonexistent/x'] },
      'open sink "/nonexistent/x": open /nonexistent/x: no such file or directory',
    ],
    [
      { isLogRotated: true },
      '--log-outputs requires a single file path when --log-rotate-config-json is defined',
    ],
    [
      { isLogRotated: true, logOutputs: ['a', 'b'] },
      '--log-outputs requires a single file path when --log-rotate-config-json is defined',
    ],
    [{ isLogRotated: true, logOutputs: ['a'], logRotation: '{' }, 'improperly formatted'],
  ];
  for (const [program, message] of bad) {
    test(JSON.stringify(program), async () => {
      await expect(logStyle({ ...PROGRAM, ...program })).rejects.toThrow(message);
    });
  }
});
