/** Plain HTTP routes as data: a path, and what answers it. */

/** An answer. */
export interface RouteAnswer {
  readonly status: number;
  readonly contentType: string;
  /** Whole, or in pieces that are sent as they come. */
  readonly body: string | AsyncIterable<Uint8Array | string>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What answers requests for one path. */
export interface Route {
  readonly answer: (query: URLSearchParams) => Promise<RouteAnswer>;
  /** Answers every method, as Go's handlers of others do; otherwise anything but GET is 405. */
  readonly anyMethod?: boolean;
}

/** Routes by path. */
export type Routes = ReadonlyMap<string, Route>;

/** The type of plain answers. */
export const TEXT = 'text/plain; charset=utf-8';

/** What Go's `http.Error` answers: the text, a line end, and no guessing of its type. */
export function errorAnswer(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): RouteAnswer {
  return {
    status,
    contentType: TEXT,
    body: `${text}\n`,
    headers: { 'X-Content-Type-Options': 'nosniff', ...headers },
  };
}
