/** All flags of the server, by family and by name. */
import { CLUSTERING, DISCOVERY } from './clustering.ts';
import { EXPERIMENTAL } from './experimental.ts';
import { type Family, type Flag, flag } from './flag.ts';
import { BOOLEAN, TEXT } from './kinds.ts';
import { IGNORED, LEGACY } from './legacy.ts';
import { MEMBER, STORAGE } from './member.ts';
import { CHECKS, LOGGING, MONITORING, TRACING } from './monitoring.ts';
import { REQUESTS } from './requests.ts';
import { AUTH, CLIENT_SECURITY, PEER_SECURITY } from './security.ts';

/** What the program does in place of serving, and where it is told. */
const PROGRAM: Family = {
  title: 'Program',
  flags: [
    flag('config-file', TEXT, {
      fallback: '',
      help: 'File with the configuration; other flags and the environment are not read then.',
      program: 'configFile',
    }),
    flag('version', BOOLEAN, {
      fallback: 'false',
      help: 'Print the version and end.',
      program: 'showsVersion',
    }),
  ],
};

/** In the order of `--help`. */
export const FAMILIES: readonly Family[] = [
  MEMBER,
  CLUSTERING,
  DISCOVERY,
  CLIENT_SECURITY,
  PEER_SECURITY,
  AUTH,
  REQUESTS,
  STORAGE,
  CHECKS,
  MONITORING,
  TRACING,
  LOGGING,
  PROGRAM,
  EXPERIMENTAL,
  LEGACY,
  IGNORED,
];

/** By name. */
export const FLAGS: ReadonlyMap<string, Flag> = new Map(
  FAMILIES.flatMap((family) => family.flags).map((row) => [row.name, row]),
);
