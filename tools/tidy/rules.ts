/**
 * The house's rules as code: who may import what, what the pure rooms may not touch, how large things grow, and that
 * what is public is explained. Each rule takes one parsed file and gives its findings; `rules.test.ts` shows each rule
 * a file that breaks it.
 */
import { type Finding, lineOf, type SourceFile, type SyntaxNode, walk } from './source-file.ts';

export type Rule = (file: SourceFile) => Finding[];

/** Which rooms each room may import; a `type` entry allows `import type` alone. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  raft: ['base'],
  mvcc: ['base'],
  protocol: ['base'],
  wal: ['base', 'type raft'],
  client: ['protocol', 'base'],
  server: ['raft', 'mvcc', 'wal', 'protocol', 'base', 'client'],
  ctl: ['client', 'server', 'protocol', 'base', 'wal', 'mvcc'],
  sim: ['base', 'raft', 'wal', 'mvcc', 'protocol', 'server', 'client', 'ctl'],
};

/** Rooms whose sources are synchronous state machines: no promise, clock, randomness or I/O. */
const PURE_ROOMS = ['raft', 'mvcc'];

/** Rooms that reach the platform through folders named `node/` alone. */
const PORTED_ROOMS = ['base', 'raft', 'mvcc', 'protocol', 'wal', 'client', 'server', 'sim'];

/** Globals that are time, randomness or I/O. */
const AMBIENT_GLOBALS = new Set([
  'Date',
  'performance',
  'process',
  'fetch',
  'console',
  'crypto',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
]);

/** Files of mixed purpose hide behind these names. */
const DRAWER_NAMES = /(^|\/)(utils?|helpers?|misc|common|types)\.ts$/;

/** A function longer than this no longer fits a screen. */
export const FUNCTION_LINES_MAX = 70;

/** A source file longer than this serves more than one purpose. */
export const FILE_LINES_MAX = 450;

function room(path: string): string | undefined {
  return /^packages\/([^/]+)\/src\//.exec(path)?.[1];
}

function inNodeFolder(path: string): boolean {
  return path.includes('/node/');
}

function finding(file: SourceFile, node: SyntaxNode, message: string): Finding {
  return { path: file.path, line: lineOf(file, node.start), message };
}

interface ImportSite {
  readonly node: SyntaxNode;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

function imports(file: SourceFile): ImportSite[] {
  const sites: ImportSite[] = [];
  walk(file.program, (node) => {
    const source = node['source'] as { value?: unknown } | null | undefined;
    if (typeof source?.value !== 'string') return;
    if (!/^(Import|Export)/.test(node.type)) return;
    const typeOnly = node['importKind'] === 'type' || node['exportKind'] === 'type';
    sites.push({ node, specifier: source.value, typeOnly });
  });
  return sites;
}

/** A room imports only the rooms that the design lets it import. */
export const roomsKeepTheirDirection: Rule = (file) => {
  const own = room(file.path);
  if (own === undefined) return [];
  const allowed = MAY_IMPORT[own] ?? [];
  return imports(file).flatMap(({ node, specifier, typeOnly }) => {
    const other = /^@etcd-ts\/([^/]+)/.exec(specifier)?.[1];
    if (other === undefined || other === own || allowed.includes(other)) return [];
    if (typeOnly && allowed.includes(`type ${other}`)) return [];
    return [finding(file, node, `${own} may not import ${other}`)];
  });
};

/** Sources of one room do not reach into another by path. */
export const noPathsIntoOtherRooms: Rule = (file) =>
  imports(file).flatMap(({ node, specifier }) => {
    if (!specifier.startsWith('.') || room(file.path) === undefined) return [];
    const parts = file.path.split('/').slice(0, -1);
    for (const step of specifier.split('/')) {
      if (step === '..') parts.pop();
      else if (step !== '.') parts.push(step);
    }
    const target = parts.join('/');
    const home = file.path.split('/').slice(0, 3).join('/');
    return target.startsWith(`${home}/`)
      ? []
      : [finding(file, node, `${specifier} leaves ${home}`)];
  });

/** Only folders named node/ import the platform's modules. */
export const onlyNodeFoldersImportThePlatform: Rule = (file) => {
  const own = room(file.path);
  if (own === undefined || !PORTED_ROOMS.includes(own) || inNodeFolder(file.path)) return [];
  return imports(file).flatMap(({ node, specifier }) =>
    specifier.startsWith('node:')
      ? [finding(file, node, `${specifier} may be imported only below a folder named node/`)]
      : [],
  );
};

/** Only folders named node/ touch real time, randomness, the process or the console. */
export const onlyNodeFoldersTouchThePlatform: Rule = (file) => {
  const own = room(file.path);
  if (own === undefined || !PORTED_ROOMS.includes(own) || inNodeFolder(file.path)) return [];
  const found: Finding[] = [];
  walk(file.program, (node, ancestors) => {
    if (node.type !== 'Identifier' || !isReference(node, ancestors)) return;
    const name = node['name'] as string;
    if (AMBIENT_GLOBALS.has(name) && !isDeclared(file, name)) {
      found.push(finding(file, node, `${name} may be used only below a folder named node/`));
    }
    const parent = ancestors.at(-1);
    const property = (parent?.['property'] as SyntaxNode | undefined)?.['name'];
    if (name === 'Math' && property === 'random') {
      found.push(finding(file, node, 'randomness is passed in, Math.random is not'));
    }
  });
  return found;
};

/** Pure rooms hold no promise: nothing async, no await, no Promise. Ports may name one in a type. */
export const pureRoomsAreSynchronous: Rule = (file) => {
  const own = room(file.path);
  if (own === undefined || !PURE_ROOMS.includes(own) || inNodeFolder(file.path)) return [];
  if (file.path.includes('/testing/')) return [];
  if (EDGE_FILES.has(file.path)) return [];
  const found: Finding[] = [];
  walk(file.program, (node, ancestors) => {
    if (node['async'] === true) found.push(finding(file, node, 'an async function in a pure room'));
    if (node.type === 'AwaitExpression') found.push(finding(file, node, 'await in a pure room'));
    const isPromise = node.type === 'Identifier' && node['name'] === 'Promise';
    if (isPromise && isReference(node, ancestors)) {
      found.push(finding(file, node, 'Promise in a pure room'));
    }
  });
  return found;
};

/** The doors of the pure rooms: files that meet an asynchronous port, each with its reason. */
export const EDGE_FILES: ReadonlySet<string> = new Set<string>([
  // Loads, writes behind and restores over the Backend port, whose writes and pages are promises.
  'packages/mvcc/src/index-checkpoint.ts',
  'packages/mvcc/src/open-store.ts',
  'packages/mvcc/src/store-copy.ts',
  // Two implementations of that port.
  'packages/mvcc/src/level-backend.ts',
  'packages/mvcc/src/memory-backend.ts',
]);

/** No drawers: a file's name says what it is for. */
export const filesHaveAPurpose: Rule = (file) =>
  room(file.path) !== undefined && DRAWER_NAMES.test(file.path)
    ? [finding(file, file.program, 'name the file after its one purpose')]
    : [];

/** Functions fit a screen. */
export const functionsFitAScreen: Rule = (file) => {
  if (room(file.path) === undefined) return [];
  const found: Finding[] = [];
  walk(file.program, (node) => {
    if (!/Function(Declaration|Expression)$/.test(node.type)) return;
    const lines = lineOf(file, node.end) - lineOf(file, node.start) + 1;
    if (lines > FUNCTION_LINES_MAX) {
      found.push(finding(file, node, `a function of ${lines} lines (limit ${FUNCTION_LINES_MAX})`));
    }
  });
  return found;
};

/** Source files stay small enough to have one purpose. */
export const filesStaySmall: Rule = (file) => {
  const lines = file.text.split('\n').length;
  return room(file.path) !== undefined && lines > FILE_LINES_MAX
    ? [finding(file, file.program, `${lines} lines (limit ${FILE_LINES_MAX})`)]
    : [];
};

/** An entry point names what it exports. */
export const noStarExports: Rule = (file) => {
  const found: Finding[] = [];
  walk(file.program, (node) => {
    if (node.type === 'ExportAllDeclaration') found.push(finding(file, node, 'name every export'));
  });
  return found;
};

/** Whatever a file exports by declaration carries a doc comment. */
export const exportsAreDocumented: Rule = (file) => {
  if (room(file.path) === undefined) return [];
  const body = file.program['body'] as readonly SyntaxNode[];
  return body.flatMap((node) => {
    if (node.type !== 'ExportNamedDeclaration' || node['declaration'] == null) return [];
    const before = file.comments.findLast((comment) => comment.end <= node.start);
    const gap = before === undefined ? undefined : file.text.slice(before.end, node.start);
    const documented = before?.value.startsWith('*') === true && gap?.trim() === '';
    return documented ? [] : [finding(file, node, 'an export without a doc comment')];
  });
};

/** Every rule, by the name under which the test reports it. */
export const RULES: Readonly<Record<string, Rule>> = {
  'rooms keep their direction': roomsKeepTheirDirection,
  'no source reaches into another room by path': noPathsIntoOtherRooms,
  'only folders named node/ import the platform': onlyNodeFoldersImportThePlatform,
  'only folders named node/ touch the platform': onlyNodeFoldersTouchThePlatform,
  'pure rooms are synchronous': pureRoomsAreSynchronous,
  'files have a purpose': filesHaveAPurpose,
  'functions fit a screen': functionsFitAScreen,
  'files stay small': filesStaySmall,
  'entry points name every export': noStarExports,
  'exports are documented': exportsAreDocumented,
};

function isReference(node: SyntaxNode, ancestors: readonly SyntaxNode[]): boolean {
  const parent = ancestors.at(-1);
  if (parent === undefined) return true;
  if (parent.type.startsWith('TS') && parent.type !== 'TSAsExpression') return false;
  const isName = parent['property'] === node || parent['key'] === node;
  return !(isName && parent['computed'] !== true);
}

/** True when the file binds the name itself: a variable, parameter or import, destructured ones included. */
function isDeclared(file: SourceFile, name: string): boolean {
  let declared = false;
  walk(file.program, (node) => {
    const bound = [node['id'], node['local'], node['param']];
    const params = Array.isArray(node['params']) ? (node['params'] as unknown[]) : [];
    if (node.type.endsWith('Call') || node.type.endsWith('CallExpression')) return;
    declared ||= [...bound, ...params].some((pattern) => binds(pattern, name));
  });
  return declared;
}

/** True when a pattern (`a`, `{ a, b: c }`, `[a]`, `a = 1`, `...a`) binds the name. */
function binds(pattern: unknown, name: string): boolean {
  if (typeof pattern !== 'object' || pattern === null) return false;
  const node = pattern as SyntaxNode;
  switch (node.type) {
    case 'Identifier':
      return node['name'] === name;
    case 'ObjectPattern':
      return (node['properties'] as SyntaxNode[]).some((property) =>
        binds(property['value'] ?? property['argument'], name),
      );
    case 'ArrayPattern':
      return (node['elements'] as unknown[]).some((element) => binds(element, name));
    case 'AssignmentPattern':
      return binds(node['left'], name);
    case 'RestElement':
      return binds(node['argument'], name);
    default:
      return false;
  }
}
