/** Commands of etcdctl that go on until they are ended, or that are given a command to run. */
import type { Format } from './script.ts';
import type { Side } from './side.ts';

/** A scene with such a command; gives what is to be compared. */
export interface Scene {
  readonly what: string;
  readonly play: (side: Side) => Promise<unknown>;
}

const form = (format: Format): readonly string[] => (format === 'simple' ? [] : ['-w', format]);

async function ok(side: Side, ...args: readonly string[]): Promise<string> {
  const ran = await side.run(args);
  if (ran.code !== 0) throw new Error(`${args.join(' ')}: ${ran.stderr}`);
  return ran.stdout;
}

async function revision(side: Side): Promise<number> {
  return JSON.parse(await ok(side, 'get', 'none', '-w', 'json')).header.revision as number;
}

/** A deletion as it is printed, to its last line. */
const WHOLE_DELETE = {
  simple: /^DELETE\n.*\n.*\n/m,
  json: /"type":1.*\n/,
  fields: /^"Type" : DELETE\n[^]*^"Lease" : 0\n/m,
} as const;

/** What a watch prints of a put, a put under a lease and a delete; from the past on, so that it is always the same. */
function watch(format: keyof typeof WHOLE_DELETE, ...more: readonly string[]): Scene {
  return {
    what: ['watch', ...more, ...form(format)].join(' '),
    play: async (side) => {
      const from = (await revision(side)) + 1;
      await ok(side, 'put', 'w/a', '1');
      await ok(side, 'put', 'w/b', 'two words');
      await ok(side, 'del', 'w/a');
      const args = ['watch', 'w/', '--prefix', `--rev=${from}`, ...more, ...form(format)];
      const watching = side.start(args);
      await watching.until('the delete', (output) => WHOLE_DELETE[format].test(output));
      await watching.end();
      return side.normal(watching.output).replaceAll(/"Revision" : \d+|"revision":\d+/g, 'REV');
    },
  };
}

/** Gives up leases and keys of a command that was interrupted, and hides the lease's id. */
function withoutLeases(output: string): string {
  return output
    .replaceAll(/\/[0-9a-f]{12,16}\b/g, '/LEASE')
    .replaceAll(/("lease":|"Lease" : )\d+/g, '$1LEASE')
    .replaceAll(/"key":"[^"]*"/g, '"key":KEY')
    .replaceAll(/("(Revision|CreateRevision|ModRevision)" : |"(\w*revision)":)\d+/g, '$1REV');
}

function lock(format: Format): Scene {
  return {
    what: ['lock', ...form(format)].join(' '),
    play: async (side) => {
      const holding = side.start(['lock', 'a-lock', ...form(format)]);
      await holding.until('the key', (output) => /\n\n|\}\n|"Count" : 1\n/.test(output));
      const waiting = side.start(['lock', 'a-lock']);
      // The second waits until the first is ended.
      await holding.end();
      await waiting.until('its turn', (output) => output.includes('a-lock/'));
      await waiting.end();
      return withoutLeases(side.normal(holding.output));
    },
  };
}

export const SCENES: readonly Scene[] = [
  watch('simple'),
  watch('simple', '--prev-kv'),
  watch('json'),
  watch('fields'),
  {
    what: 'watch runs a command for each event',
    play: async (side) => {
      const from = (await revision(side)) + 1;
      await ok(side, 'put', 'w/x', '1');
      const args = ['watch', 'w/x', `--rev=${from}`, '--', 'sh', '-c'];
      const watching = side.start([...args, 'echo $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY']);
      await watching.until('the command', (output) => output.includes('"w/x"\n'));
      await watching.end();
      return watching.output;
    },
  },
  {
    what: 'watch below the compact revision',
    play: async (side) => {
      const { code, stderr } = await side.run(['watch', 'w/', '--prefix', '--rev=1']);
      return { code, stderr: side.normal(stderr) };
    },
  },
  lock('simple'),
  lock('json'),
  lock('fields'),
  {
    what: 'lock runs a command while it holds the lock',
    play: async (side) => {
      const { code, stdout } = await side.run(['lock', 'b-lock', 'sh', '-c', 'echo held; exit 7']);
      return { code, stdout };
    },
  },
  {
    what: 'elect, and elect --listen',
    play: async (side) => {
      const first = side.start(['elect', 'an-election', 'first']);
      await first.until('it leads', (output) => output.includes('first\n'));
      const listening = side.start(['elect', '-l', 'an-election']);
      await listening.until('it hears', (output) => output.includes('first\n'));
      const second = side.start(['elect', 'an-election', 'second']);
      await first.end();
      await second.until('it leads', (output) => output.includes('second\n'));
      await listening.until('it hears of it', (output) => output.includes('second\n'));
      await second.end();
      await listening.end();
      return [first, listening, second].map(({ output }) => withoutLeases(output));
    },
  },
  {
    what: 'lease keep-alive goes on until the lease is revoked',
    play: async (side) => {
      const granted = await ok(side, 'lease', 'grant', '3');
      const id = /lease ([0-9a-f]+)/.exec(granted)?.[1] ?? granted;
      const keeping = side.start(['lease', 'keep-alive', id]);
      await keeping.until('it is kept', (output) => output.includes('keepalived'));
      await ok(side, 'lease', 'revoke', id);
      await keeping.until('the end', (output) => output.includes('expired or revoked'));
      await keeping.end();
      return [...new Set(keeping.output.replaceAll(id, 'LEASE').split('\n'))];
    },
  },
  {
    what: 'make-mirror copies what is there and what comes',
    play: async (side) => {
      await ok(side, 'put', 'mirror/old', '1');
      const target = side.endpoints(1);
      const args = ['make-mirror', '--prefix=mirror/', '--dest-prefix=copy/', target];
      const mirroring = side.start(args);
      const watching = side.start(['watch', 'copy/', '--prefix', '--rev=1000000']);
      const copied = async (key: string): Promise<void> => {
        while ((await ok(side, 'get', key, '--print-value-only')) === '');
      };
      await copied('copy/old');
      await ok(side, 'put', 'mirror/new', '2');
      await copied('copy/new');
      await mirroring.end();
      await watching.end();
      return ok(side, 'get', 'copy/', '--prefix');
    },
  },
  {
    what: 'move-leader',
    play: async (side) => {
      const statuses = JSON.parse(
        (await side.run(['endpoint', 'status', '-w', 'json'], { at: 'all' })).stdout.replaceAll(
          /("leader":|"member_id":)(\d+)/g,
          '$1"$2"',
        ),
      ) as { Status: { header: { member_id: string }; leader: string } }[];
      const other = statuses.find(({ Status }) => Status.header.member_id !== Status.leader);
      const id = BigInt(other!.Status.header.member_id).toString(16);
      const moved = await side.run(['move-leader', id], { at: 'all' });
      // On all members: whoever leads finds no other leader.
      const again = await side.run(['move-leader', '123abc', '-w', 'json'], { at: 'all' });
      const normal = (text: string): string => side.normal(text).replaceAll(/hex900\d/g, 'MEMBER');
      return [moved.code, normal(moved.stdout), again.code, normal(again.stderr)];
    },
  },
  {
    what: 'an alarm is listed and disarmed',
    play: async (side) => {
      const member = side.cluster.members[0]!;
      const raise = { action: 'ACTIVATE', memberID: '5', alarm: 'NOSPACE' };
      await fetch(`${member.clientUrl}/v3/maintenance/alarm`, {
        method: 'POST',
        body: JSON.stringify(raise),
      });
      const results: unknown[] = [];
      for (const format of ['simple', 'json', 'fields'] as const) {
        results.push(side.normal(await ok(side, 'alarm', 'list', ...form(format))));
      }
      results.push((await side.run(['put', 'k', 'v'])).stderr.split('\n').at(-2));
      results.push(side.normal(await ok(side, 'alarm', 'disarm')));
      results.push(await ok(side, 'put', 'k', 'v'));
      return results;
    },
  },
];
