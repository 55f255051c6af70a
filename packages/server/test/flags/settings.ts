/** What words, variables and a file come to, for the tests of flags. */
import { readSettings, type RunSettings, type Sources } from '../../src/node/flags/settings.ts';
import { resolveOptions, type ResolvedOptions } from '../../src/options.ts';

/** What the program would do. */
export function actionOf(...words: string[]): string {
  return readSettings({ words, environment: {}, readFile: noFile }).action;
}

/** The settings of a member. */
export function settingsOf(sources: Partial<Sources>): RunSettings {
  const settings = readSettings({ words: [], environment: {}, readFile: noFile, ...sources });
  if (settings.action !== 'run') throw new Error(`the action is ${settings.action}`);
  return settings as RunSettings;
}

/** The node's options, complete and checked. */
export function optionsOf(...words: string[]): ResolvedOptions {
  return resolveOptions(settingsOf({ words }).options);
}

function noFile(path: string): string {
  throw new Error(`nobody asked for ${path}`);
}
