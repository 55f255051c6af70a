/** What an endpoint says: where to connect to, and how. */

/** A host and its port, or a Unix socket. */
export type SocketTarget =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/** An endpoint, taken apart. */
export interface EndpointAddress {
  readonly target: SocketTarget;
  /** For the header `:authority`. */
  readonly authority: string;
  readonly isTls: boolean;
}

/** Where members listen for clients, if an endpoint names no port. */
export const DEFAULT_PORT = 2379;

/** The port that is written in a URL. (`URL.port` is empty where it is the usual one of the scheme: 80, 443.) */
const PORT = /^[^:]+:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/;

/** Reads `host:port`, or a URL of http, https, unix or unixs. @throws TypeError for what is neither. */
export function readEndpoint(endpoint: string): EndpointAddress {
  const unix = /^unix(s?):(?:\/\/)?(.+)$/.exec(endpoint);
  if (unix !== null) {
    return { target: { path: unix[2] as string }, authority: 'localhost', isTls: unix[1] === 's' };
  }
  const text = endpoint.includes('://') ? endpoint : `http://${endpoint}`;
  const url = new URL(text);
  const port = Number(PORT.exec(text)?.[1] ?? DEFAULT_PORT);
  const target = { host: url.hostname.replace(/^\[|\]$/g, ''), port };
  return { target, authority: url.host, isTls: url.protocol === 'https:' };
}
