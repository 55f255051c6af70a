/**
 * Paths as Go's ServeMux takes them: decoded, without `//`, `.` and `..`; whoever asks otherwise is sent to the clean
 * one.
 */
import { errorAnswer, type RouteAnswer } from './route.ts';

/** Where a request is for. */
export interface RequestPath {
  readonly path: string;
  /** What stands behind the question mark. */
  readonly query: string;
}

/** Takes a request's target apart; undefined when it is malformed. */
export function requestPath(target: string): RequestPath | undefined {
  const mark = target.indexOf('?');
  const [raw, query] = mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)];
  try {
    return { path: decodeURIComponent(raw), query };
  } catch {
    return undefined;
  }
}

/** The answer to a malformed target. */
export const BAD_TARGET: RouteAnswer = errorAnswer(400, '400 Bad Request', { Connection: 'close' });

/** The redirection of a request to where it should have gone; undefined when it is there. */
export function redirection(
  { path, query }: RequestPath,
  isFolder: (path: string) => boolean,
  method: string,
): RouteAnswer | undefined {
  const clean = cleanPath(path);
  const target = !clean.endsWith('/') && isFolder(`${clean}/`) ? `${clean}/` : clean;
  if (target === path) return undefined;
  const location = encodeURI(target) + (query === '' ? '' : `?${query}`);
  const isSeen = method === 'GET' || method === 'HEAD';
  return {
    status: 301,
    contentType: isSeen ? 'text/html; charset=utf-8' : '',
    body: method === 'GET' ? `<a href="${escapeHtml(location)}">Moved Permanently</a>.\n\n` : '',
    headers: { Location: location },
  };
}

/** As Go's path.Clean, but that a slash at the end stays. */
function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  const isOpen = path.endsWith('/') && parts.length > 0;
  return `/${parts.join('/')}${isOpen ? '/' : ''}`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&#34;')
    .replaceAll("'", '&#39;');
}
