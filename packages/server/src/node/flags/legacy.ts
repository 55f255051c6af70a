/** Flags of what is no more: API v2, its proxy, its discovery, and names that etcd itself ignores. */
import { type Family, flag } from './flag.ts';
import { BOOLEAN, choice, type Kind, TEXT, UINT } from './kinds.ts';

const NO_V2 = 'there is no API v2';
const NO_PROXY = 'there is no proxy for API v2';
const NO_DISCOVERY =
  'there is no discovery by API v2; --discovery-endpoints and --discovery-srv are';

/** etcd's own flag type with other words than its choices have. */
function stage(...words: readonly string[]): Kind<string> {
  const kind = choice(...words);
  return {
    ...kind,
    read: (text) =>
      words.includes(text) ? { value: text } : { problem: `invalid value "${text}"` },
  };
}

/** Flags about API v2. */
export const LEGACY: Family = {
  title: 'API v2',
  flags: [
    flag('enable-v2', BOOLEAN, {
      fallback: 'false',
      until: '3.5',
      help: 'Serve API v2.',
      noEffect: NO_V2,
    }),
    flag(
      'v2-deprecation',
      stage('not-yet', 'write-only', 'write-only-skip-check', 'write-only-drop-data', 'gone'),
      {
        fallback: 'write-only',
        fallbackIn35: 'not-yet',
        help: 'How far the end of API v2 has come.',
        noEffect: NO_V2,
        deprecated:
          '--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.',
      },
    ),
    flag('experimental-enable-v2v3', TEXT, {
      fallback: '',
      until: '3.5',
      help: 'Serve API v2 from keys of API v3 below a prefix.',
      noEffect: NO_V2,
    }),
    flag('discovery', TEXT, {
      fallback: '',
      help: 'URL of the discovery service of API v2.',
      noEffect: NO_DISCOVERY,
    }),
    flag('discovery-fallback', choice('exit', 'proxy'), {
      fallback: 'exit',
      fallbackIn35: 'proxy',
      help: 'What to do when that discovery fails.',
      noEffect: NO_DISCOVERY,
    }),
    flag('discovery-proxy', TEXT, {
      fallback: '',
      help: 'HTTP proxy for that discovery.',
      noEffect: NO_DISCOVERY,
    }),
    flag('proxy', choice('off', 'readonly', 'on'), {
      fallback: 'off',
      until: '3.5',
      help: 'Be a proxy for API v2.',
      noEffect: NO_PROXY,
    }),
    ...(
      [
        ['proxy-failure-wait', '5000'],
        ['proxy-refresh-interval', '30000'],
        ['proxy-dial-timeout', '1000'],
        ['proxy-write-timeout', '5000'],
        ['proxy-read-timeout', '0'],
      ] as const
    ).map(([name, fallback]) =>
      flag(name, UINT, {
        fallback,
        until: '3.5',
        help: 'A time of that proxy, in milliseconds.',
        noEffect: NO_PROXY,
      }),
    ),
  ],
};

/** Takes any value, and none as well: the next word is not its value. */
const ANYTHING: Kind<string> = { ...TEXT, name: 'anything', isBoolean: true };

/** Names of the time before etcd 2.0, and of its test runs. */
export const IGNORED: Family = {
  title: 'Ignored',
  flags: [
    'cluster-active-size',
    'cluster-remove-delay',
    'cluster-sync-interval',
    'config',
    'force',
    'max-result-buffer',
    'max-retry-attempts',
    'peer-heartbeat-interval',
    'peer-election-timeout',
    'retry-interval',
    'snapshot',
    'v',
    'vv',
    'test.coverprofile',
    'test.outputdir',
  ].map((name) =>
    flag(name, ANYTHING, {
      fallback: '',
      help: 'Ignored by etcd too.',
      noEffect: 'etcd itself ignores it',
    }),
  ),
};
