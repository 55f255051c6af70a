/** Something around every handler of a server: guards, timing, logs. */
import type { MethodName } from './rpcs.ts';
import { RPC_TABLE } from './rpc-table.ts';
import type { Handlers, StreamHandler, UnaryHandler } from './services.ts';

type AnyUnary = UnaryHandler<unknown, unknown>;
type AnyStream = StreamHandler<unknown, unknown>;

/** What is put around a handler, by its kind; handlers of a kind that is left out stay as they are. */
export interface HandlerWrappers {
  readonly unary?: (handler: AnyUnary, method: MethodName) => AnyUnary;
  readonly stream?: (handler: AnyStream, method: MethodName) => AnyStream;
}

/** The same methods, each behind its wrapper. */
export function wrapHandlers(handlers: Handlers, { unary, stream }: HandlerWrappers): Handlers {
  // The table's kinds and the handlers' types come from the same RpcTypes, which `Object.entries` forgets.
  const entries = Object.entries(handlers) as [MethodName, unknown][];
  return Object.fromEntries(
    entries.map(([method, handler]) => [
      method,
      RPC_TABLE[method].kind === 'unary'
        ? (unary?.(handler as AnyUnary, method) ?? handler)
        : (stream?.(handler as AnyStream, method) ?? handler),
    ]),
  );
}
