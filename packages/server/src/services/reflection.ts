/**
 * Server reflection of gRPC, so that tools such as grpcurl need no .proto files
 * (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md).
 *
 * A file comes with all that it imports, and each file once per stream. Errors are answers, in grpc-go's words; the
 * stream goes on.
 */
import {
  EtcdError,
  FILE_DESCRIPTORS,
  type FileDescriptor,
  type Handlers,
  RPCS,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  Status,
  type StreamHandler,
} from '@etcd-ts/protocol';

type Answer = NonNullable<ServerReflectionResponse['messageResponse']>;

const BY_NAME: ReadonlyMap<string, FileDescriptor> = new Map(
  FILE_DESCRIPTORS.map((file) => [file.name, file]),
);
const BY_SYMBOL: ReadonlyMap<string, FileDescriptor> = new Map(
  FILE_DESCRIPTORS.flatMap((file) => file.symbols.map((symbol) => [symbol, file] as const)),
);
const SERVICES: readonly string[] = [...new Set(RPCS.map(({ service }) => service))].sort((a, b) =>
  a < b ? -1 : 1,
);

/** The handlers of both versions. Never guarded: what is told is no secret. */
export function reflectionHandlers(): Handlers {
  return {
    'grpc.reflection.v1.ServerReflection/ServerReflectionInfo': reflect,
    'grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': reflect,
  };
}

const reflect: StreamHandler<ServerReflectionRequest, ServerReflectionResponse> = async (
  requests,
  { signal },
  responses,
) => {
  const told = new Set<string>();
  for await (const request of requests) {
    if (signal.aborted) return;
    const messageResponse = answer(request, told);
    const { host: validHost } = request;
    if (!responses.send({ validHost, originalRequest: request, messageResponse })) {
      await responses.drained();
    }
  }
};

/** @throws EtcdError INVALID_ARGUMENT for a request that asks nothing. */
function answer({ messageRequest }: ServerReflectionRequest, told: Set<string>): Answer {
  switch (messageRequest?.$case) {
    case 'fileByFilename':
      return fileAnswer(BY_NAME.get(messageRequest.value), told);
    case 'fileContainingSymbol':
      return fileAnswer(BY_SYMBOL.get(messageRequest.value), told);
    case 'allExtensionNumbersOfType':
      return extensionsOf(messageRequest.value);
    case 'listServices': {
      const value = { service: SERVICES.map((name) => ({ name })) };
      return { $case: 'listServicesResponse', value };
    }
    // No message of ours can be extended.
    case 'fileContainingExtension':
      return NOT_FOUND;
    case undefined:
      throw new EtcdError('INVALID_ARGUMENT', { message: 'invalid MessageRequest: <nil>' });
  }
}

const NOT_FOUND: Answer = {
  $case: 'errorResponse',
  value: { errorCode: Status.NOT_FOUND, errorMessage: 'proto: not found' },
};

function fileAnswer(file: FileDescriptor | undefined, told: Set<string>): Answer {
  if (file === undefined) return NOT_FOUND;
  const fileDescriptorProto: Uint8Array[] = [];
  const waiting = [file];
  // The file asked for comes always, and first.
  told.delete(file.name);
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (told.has(next.name)) continue;
    told.add(next.name);
    fileDescriptorProto.push(bytesOf(next));
    for (const name of next.imports) {
      const imported = BY_NAME.get(name);
      if (imported !== undefined) waiting.push(imported);
    }
  }
  return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto } };
}

function extensionsOf(baseTypeName: string): Answer {
  if (!BY_SYMBOL.has(baseTypeName)) return NOT_FOUND;
  const value = { baseTypeName, extensionNumber: [] };
  return { $case: 'allExtensionNumbersResponse', value };
}

function bytesOf({ base64 }: FileDescriptor): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
