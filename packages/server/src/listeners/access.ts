/**
 * Who may ask over HTTP from a browser: origins (CORS) and host names.
 *
 * Source: etcd server/embed/serve.go, accessController, and server/etcdserver/cors.go.
 */
import { errorAnswer, type RouteAnswer } from './route.ts';

/** What the doors for HTTP are told of origins and hosts. */
export interface AccessRules {
  /** Origins whose pages may ask; none or `*`: all. etcd --cors. */
  readonly origins: readonly string[];
  /** Host names for which requests without TLS are taken; none or `*`: all. etcd --host-whitelist. */
  readonly hosts: readonly string[];
}

/** The CORS headers of an answer; none when the origin is not allowed. */
export function corsHeaders(
  { origins }: Pick<AccessRules, 'origins'>,
  origin: string | undefined,
): Readonly<Record<string, string>> {
  const allowsAll = origins.length === 0 || origins.includes('*');
  const allowed = allowsAll ? '*' : (origin ?? '');
  if (!allowsAll && !origins.includes(allowed)) return {};
  return {
    'Access-Control-Allow-Methods': 'POST, GET, OPTIONS, PUT, DELETE',
    'Access-Control-Allow-Origin': allowed,
    'Access-Control-Allow-Headers': 'accept, content-type, authorization',
  };
}

/** The refusal of a request for a host that is not ours, against DNS rebinding; undefined when it is. */
export function refusedHost(
  { hosts }: Pick<AccessRules, 'hosts'>,
  hostHeader: string | undefined,
): RouteAnswer | undefined {
  if (hosts.length === 0 || hosts.includes('*')) return undefined;
  const host = hostName(hostHeader ?? '');
  return hosts.includes(host) ? undefined : errorAnswer(421, misdirected(host));
}

/** The name in a Host header, without its port. */
function hostName(header: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):\d*$/.exec(header);
  return match === null ? header : (match[1] ?? match[2] ?? '');
}

function misdirected(host: string): string {
  return `
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist ${JSON.stringify(host)}

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).
`;
}
