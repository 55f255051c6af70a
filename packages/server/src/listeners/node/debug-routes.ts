/**
 * /debug/vars, as Go's expvar has it, and the profiles that have a meaning in Node.
 *
 * Variables are one per line in the order of their names. `memstats` has Go's names for what V8 tells as well; what V8
 * has no word for is left out.
 */
import { Session } from 'node:inspector';
import { getHeapSnapshot, getHeapStatistics } from 'node:v8';
import { idToHex } from '@etcd-ts/base';
import { fileDescriptorLimit } from '../../metrics/node/metrics-page.ts';
import type { NodePort } from '../../node-port.ts';
import { errorAnswer, type Route, type RouteAnswer, TEXT } from '../route.ts';

/** Seconds that a CPU profile takes when nobody says (Go's net/http/pprof). */
const DEFAULT_PROFILE_SECONDS = 30;
/** The longest CPU profile. */
export const MAX_PROFILE_SECONDS = 600;

const HTML = 'text/html; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

/** /debug/vars. */
export function variableRoutes(node: NodePort): Map<string, Route> {
  const answer = (): Promise<RouteAnswer> => {
    const variables = Object.entries(variablesOf(node))
      .map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`)
      .join(',\n');
    return Promise.resolve({
      status: 200,
      contentType: JSON_TYPE,
      body: `{\n${variables}\n}\n`,
    });
  };
  return new Map([['/debug/vars', { answer }]]);
}

function variablesOf(node: NodePort): Record<string, unknown> {
  const { term, leader, isLeader, isLearner, committedIndex, appliedIndex } = node.status();
  const follower = isLearner ? 'StateLearner' : 'StateFollower';
  return {
    cmdline: process.argv,
    file_descriptor_limit: fileDescriptorLimit(),
    memstats: memoryOf(),
    'raft.status': {
      id: idToHex(node.memberId),
      term,
      commit: committedIndex,
      lead: idToHex(leader),
      raftState: isLeader ? 'StateLeader' : leader === 0n ? 'StateCandidate' : follower,
      applied: appliedIndex,
      progress: Object.fromEntries(
        node
          .progress()
          .map(({ id, matchIndex, active }) => [idToHex(id), { match: matchIndex, active }]),
      ),
    },
  };
}

function memoryOf(): Record<string, number> {
  const { rss, external, arrayBuffers } = process.memoryUsage();
  const heap = getHeapStatistics();
  return {
    Alloc: heap.used_heap_size + external,
    Sys: rss,
    HeapAlloc: heap.used_heap_size,
    HeapSys: heap.total_heap_size,
    HeapIdle: heap.total_heap_size - heap.used_heap_size,
    HeapInuse: heap.used_heap_size,
    OtherSys: external,
    BufferSys: arrayBuffers,
  };
}

/** Everything below /debug/pprof/. etcd --enable-pprof. */
export function profileRoutes(): Map<string, Route> {
  const routes: [string, Route['answer']][] = [
    ['/debug/pprof/', () => Promise.resolve({ status: 200, contentType: HTML, body: INDEX })],
    ['/debug/pprof/profile', cpuProfile],
    ['/debug/pprof/heap', () => Promise.resolve(heapSnapshot())],
    [
      '/debug/pprof/cmdline',
      () => Promise.resolve({ status: 200, contentType: TEXT, body: process.argv.join('\0') }),
    ],
  ];
  return new Map(routes.map(([path, answer]) => [path, { answer, anyMethod: true }]));
}

const INDEX = `<html>
<head><title>/debug/pprof/</title></head>
<body>
/debug/pprof/
<ul>
<li><a href="profile">profile</a>: where the CPU's time goes, for ?seconds=${DEFAULT_PROFILE_SECONDS} (a .cpuprofile)</li>
<li><a href="heap">heap</a>: what memory holds (a .heapsnapshot; the process stands still meanwhile)</li>
<li><a href="cmdline">cmdline</a>: how the process was started</li>
</ul>
</body>
</html>
`;

let isProfiling = false;

async function cpuProfile(query: URLSearchParams): Promise<RouteAnswer> {
  const seconds = Number(query.get('seconds') ?? DEFAULT_PROFILE_SECONDS);
  if (!(seconds > 0 && seconds <= MAX_PROFILE_SECONDS)) {
    const text = `profile of ${query.get('seconds')} seconds (limit ${MAX_PROFILE_SECONDS})`;
    return errorAnswer(400, text);
  }
  if (isProfiling) {
    return errorAnswer(500, 'Could not enable CPU profiling: cpu profiling already in use');
  }
  isProfiling = true;
  const session = new Session();
  session.connect();
  try {
    await post(session, 'Profiler.enable');
    await post(session, 'Profiler.start');
    await new Promise((resolve) => {
      setTimeout(resolve, seconds * 1000).unref();
    });
    const { profile } = (await post(session, 'Profiler.stop')) as { profile: unknown };
    return download('profile.cpuprofile', JSON.stringify(profile));
  } finally {
    session.disconnect();
    isProfiling = false;
  }
}

function post(session: Session, method: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    session.post(method, (error, result) => {
      if (error === null) resolve(result);
      else reject(error);
    });
  });
}

function heapSnapshot(): RouteAnswer {
  return download('heap.heapsnapshot', getHeapSnapshot() as AsyncIterable<Uint8Array>);
}

function download(name: string, body: RouteAnswer['body']): RouteAnswer {
  return {
    status: 200,
    contentType: 'application/octet-stream',
    body,
    headers: {
      'X-Content-Type-Options': 'nosniff',
      'Content-Disposition': `attachment; filename="${name}"`,
    },
  };
}
