import {
  EtcdError,
  FILE_DESCRIPTORS,
  ServerReflectionRequest,
  type ServerReflectionResponse,
} from '@etcd-ts/protocol';
import { describe, expect, test } from 'vitest';
import { InProcessChannel } from '../../src/listeners/in-process.ts';
import { reflectionHandlers } from '../../src/services/reflection.ts';
import { ManualClock } from './manual-clock.ts';

type Question = NonNullable<ServerReflectionRequest['messageRequest']>;

/** Asks everything on one stream. */
async function ask(
  method: 'v1' | 'v1alpha',
  ...questions: readonly Question[]
): Promise<ServerReflectionResponse[]> {
  const channel = new InProcessChannel(reflectionHandlers(), new ManualClock());
  const call = channel.stream(`grpc.reflection.${method}.ServerReflection/ServerReflectionInfo`);
  for (const messageRequest of questions) {
    call.send(ServerReflectionRequest.fromPartial({ host: 'h', messageRequest }));
  }
  call.end();
  const answers: ServerReflectionResponse[] = [];
  for await (const each of call.responses) answers.push(each);
  return answers;
}

/** Names of the files in an answer. */
function filesOf({ messageResponse }: ServerReflectionResponse): string[] {
  if (messageResponse?.$case !== 'fileDescriptorResponse') return [];
  return messageResponse.value.fileDescriptorProto.map((bytes) => {
    const base64 = Buffer.from(bytes).toString('base64');
    return FILE_DESCRIPTORS.find((file) => file.base64 === base64)?.name ?? 'unknown';
  });
}

describe.each(['v1', 'v1alpha'] as const)('server reflection %s', (version) => {
  test('lists every service, itself included', async () => {
    const [answer] = await ask(version, { $case: 'listServices', value: '*' });
    expect(answer?.validHost).toBe('h');
    expect(answer?.originalRequest?.messageRequest?.$case).toBe('listServices');
    const list = answer?.messageResponse;
    expect(list?.$case === 'listServicesResponse' && list.value.service.map((s) => s.name)).toEqual(
      [
        'etcdserverpb.Auth',
        'etcdserverpb.Cluster',
        'etcdserverpb.KV',
        'etcdserverpb.Lease',
        'etcdserverpb.Maintenance',
        'etcdserverpb.Watch',
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
        'v3electionpb.Election',
        'v3lockpb.Lock',
      ],
    );
  });

  test('gives the file of a symbol with all that it imports, the file itself first', async () => {
    const symbols = ['etcdserverpb.KV', 'etcdserverpb.KV.Range', 'etcdserverpb.RangeRequest.key'];
    for (const value of symbols) {
      const [answer] = await ask(version, { $case: 'fileContainingSymbol', value });
      expect(filesOf(answer as ServerReflectionResponse)).toEqual([
        'etcdserverpb/kv.proto',
        'etcdserverpb/header.proto',
        'mvccpb/kv.proto',
      ]);
    }
  });

  test('gives imports once per stream, and a file again when asked for it by name', async () => {
    const value = 'etcdserverpb/kv.proto';
    const question: Question = { $case: 'fileByFilename', value };
    const answers = await ask(version, question, question);
    expect(answers.map((each) => filesOf(each).length)).toEqual([3, 1]);
  });

  test('says what it does not find, and goes on', async () => {
    const answers = await ask(
      version,
      { $case: 'fileContainingSymbol', value: 'no.Such' },
      { $case: 'fileByFilename', value: 'no.proto' },
      { $case: 'allExtensionNumbersOfType', value: 'no.Such' },
      {
        $case: 'fileContainingExtension',
        value: { containingType: 'etcdserverpb.PutRequest', extensionNumber: 5 },
      },
      { $case: 'allExtensionNumbersOfType', value: 'etcdserverpb.PutRequest' },
    );
    const notFound = {
      $case: 'errorResponse',
      value: { errorCode: 5, errorMessage: 'proto: not found' },
    };
    const value = { baseTypeName: 'etcdserverpb.PutRequest', extensionNumber: [] };
    expect(answers.map(({ messageResponse }) => messageResponse)).toEqual([
      notFound,
      notFound,
      notFound,
      notFound,
      { $case: 'allExtensionNumbersResponse', value },
    ]);
  });
});

test('a question that asks nothing ends the stream', async () => {
  const channel = new InProcessChannel(reflectionHandlers(), new ManualClock());
  const call = channel.stream('grpc.reflection.v1.ServerReflection/ServerReflectionInfo');
  call.send(ServerReflectionRequest.fromPartial({}));
  const next = call.responses[Symbol.asyncIterator]().next();
  await expect(next).rejects.toSatisfy(
    (error) => EtcdError.is(error) && error.code === 'INVALID_ARGUMENT',
  );
});
