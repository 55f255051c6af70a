/** Locks, elections and leases through the proxy: their names and keys are prefixed like all others. */
import type { Handlers } from '@etcd-ts/protocol';
import type { Namespace } from './namespace.ts';
import { forwardStream } from './forward.ts';
import type { Upstream } from './upstream.ts';

/** Methods whose messages hold keys, beside those of KV and Watch. */
export function namespaced(upstream: Upstream, namespace: Namespace): Handlers {
  return {
    'etcdserverpb.Lease/LeaseTimeToLive': async (request, context) => {
      const response = await upstream.unary('etcdserverpb.Lease/LeaseTimeToLive', request, context);
      const keys = response.keys.filter((key) => namespace.holds(key));
      return { ...response, keys: keys.map((key) => namespace.bare(key)) };
    },
    'v3lockpb.Lock/Lock': async (request, context) => {
      const inside = { ...request, name: namespace.name(request.name) };
      const response = await upstream.unary('v3lockpb.Lock/Lock', inside, context);
      return { ...response, key: namespace.bare(response.key) };
    },
    'v3lockpb.Lock/Unlock': (request, context) =>
      upstream.unary(
        'v3lockpb.Lock/Unlock',
        { ...request, key: namespace.key(request.key) },
        context,
      ),
    ...elections(upstream, namespace),
  };
}

function elections(upstream: Upstream, namespace: Namespace): Handlers {
  return {
    'v3electionpb.Election/Campaign': async (request, context) => {
      const inside = { ...request, name: namespace.name(request.name) };
      const response = await upstream.unary('v3electionpb.Election/Campaign', inside, context);
      return { ...response, leader: namespace.leader(response.leader) };
    },
    'v3electionpb.Election/Proclaim': (request, context) => {
      const inside = { ...request, leader: namespace.namedLeader(request.leader) };
      return upstream.unary('v3electionpb.Election/Proclaim', inside, context);
    },
    'v3electionpb.Election/Resign': (request, context) => {
      const inside = { ...request, leader: namespace.namedLeader(request.leader) };
      return upstream.unary('v3electionpb.Election/Resign', inside, context);
    },
    'v3electionpb.Election/Leader': async (request, context) => {
      const inside = { ...request, name: namespace.name(request.name) };
      const response = await upstream.unary('v3electionpb.Election/Leader', inside, context);
      return { ...response, kv: response.kv && namespace.kv(response.kv) };
    },
    'v3electionpb.Election/Observe': forwardStream(
      'v3electionpb.Election/Observe',
      upstream,
      (request) => {
        const { name } = request as { name: Uint8Array };
        return { ...(request as object), name: namespace.name(name) };
      },
      (response) => {
        const { kv } = response as { kv?: Parameters<Namespace['kv']>[0] };
        return { ...(response as object), kv: kv && namespace.kv(kv) };
      },
    ) as never,
  };
}
