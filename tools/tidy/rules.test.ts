import { expect, test } from 'vitest';
import {
  exportsAreDocumented,
  FILE_LINES_MAX,
  filesHaveAPurpose,
  filesStaySmall,
  FUNCTION_LINES_MAX,
  functionsFitAScreen,
  noPathsIntoOtherRooms,
  noStarExports,
  onlyNodeFoldersImportThePlatform,
  onlyNodeFoldersTouchThePlatform,
  pureRoomsAreSynchronous,
  roomsKeepTheirDirection,
  type Rule,
} from './rules.ts';
import { parseSource } from './source-file.ts';

const CORE = 'packages/raft/src/core.ts';

function messages(rule: Rule, path: string, text: string): string[] {
  return rule(parseSource(path, text)).map((found) => `${found.line}: ${found.message}`);
}

test('a room that imports one above it is found, whatever the form of the import', () => {
  const of = (text: string) => messages(roomsKeepTheirDirection, 'packages/wal/src/wal.ts', text);
  expect(of(`\nimport { EtcdNode } from '@etcd-ts/server';`)).toEqual([
    '2: wal may not import server',
  ]);
  expect(of(`export { RaftCore } from '@etcd-ts/raft';`)).toEqual(['1: wal may not import raft']);
  expect(of(`const core = await import('@etcd-ts/raft');`)).toEqual(['1: wal may not import raft']);
  expect(
    of(`import type { Entry } from '@etcd-ts/raft';\nimport { utf8 } from '@etcd-ts/base';`),
  ).toEqual([]);
});

test('a relative import that leaves its package is found', () => {
  const of = (text: string) =>
    messages(noPathsIntoOtherRooms, 'packages/wal/src/node/disk.ts', text);
  expect(of(`import { x } from '../../../raft/src/core.ts';`)).toHaveLength(1);
  expect(of(`import { x } from '../wal.ts';`)).toEqual([]);
});

test('a platform module outside a node/ folder is found', () => {
  const text = `import { readFileSync } from 'node:fs';`;
  expect(messages(onlyNodeFoldersImportThePlatform, CORE, text)).toHaveLength(1);
  expect(messages(onlyNodeFoldersImportThePlatform, 'packages/wal/src/node/disk.ts', text)).toEqual(
    [],
  );
});

test('clocks, timers, randomness and the console outside a node/ folder are found', () => {
  const of = (text: string) => messages(onlyNodeFoldersTouchThePlatform, CORE, text);
  expect(of(`const t = Date.now();`)).toHaveLength(1);
  expect(of(`setTimeout(() => undefined, 1);`)).toHaveLength(1);
  expect(of(`const r = Math.random();`)).toHaveLength(1);
  expect(of(`console.log(1);`)).toHaveLength(1);
  expect(of(`const o = { process: 1 }; o.process; Math.max(1, 2);`)).toEqual([]);
  expect(of(`function f(process: () => void) { process(); }`)).toEqual([]);
  expect(of(`const { a: [process] } = f(); process();`)).toEqual([]);
  expect(of(`const { process: a } = f(); process();`)).toHaveLength(1);
});

test('promises in a pure room are found', () => {
  const of = (text: string) => messages(pureRoomsAreSynchronous, CORE, text);
  expect(of(`async function f() { await g(); }`)).toHaveLength(2);
  expect(of(`const p = Promise.resolve(1);`)).toHaveLength(1);
  expect(of(`interface Backend { write(): Promise<void>; }`)).toEqual([]);
  expect(
    messages(pureRoomsAreSynchronous, 'packages/server/src/node.ts', `async () => 1;`),
  ).toEqual([]);
});

test('drawers, long functions, long files and star exports are found', () => {
  expect(messages(filesHaveAPurpose, 'packages/raft/src/utils.ts', '')).toHaveLength(1);
  const body = 'g();\n'.repeat(FUNCTION_LINES_MAX);
  expect(messages(functionsFitAScreen, CORE, `function f() {\n${body}}`)).toHaveLength(1);
  expect(messages(functionsFitAScreen, CORE, `class A { f() {\n${body}} }`)).toHaveLength(1);
  expect(messages(filesStaySmall, CORE, '\n'.repeat(FILE_LINES_MAX))).toHaveLength(1);
  expect(
    messages(noStarExports, 'packages/raft/src/index.ts', `export * from './core.ts';`),
  ).toHaveLength(1);
});

test('an export without a doc comment is found', () => {
  expect(messages(exportsAreDocumented, CORE, `export const a = 1;`)).toHaveLength(1);
  expect(messages(exportsAreDocumented, CORE, `// why\nexport const a = 1;`)).toHaveLength(1);
  expect(messages(exportsAreDocumented, CORE, `/** What. */\nexport const a = 1;`)).toEqual([]);
});
