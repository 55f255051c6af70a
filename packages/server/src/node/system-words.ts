/** The system's errors as Go words them, for messages that are etcd's to the letter. */
const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EISDIR: 'is a directory',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EROFS: 'read-only file system',
};

/** What Go says for an error of the system; Node's own text for one that is not listed. */
export function systemWords(error: unknown): string {
  const { code = '', message } = error as { code?: string; message: string };
  return WORDS[code] ?? message;
}
