// Runs ts-proto on the descriptors, as protoc would, and loads what it generates.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { CodeGeneratorRequestSchema, CodeGeneratorResponseSchema } from '@bufbuild/protobuf/wkt';
import { loadDescriptors } from './protos.ts';

const cache = fileURLToPath(new URL('../node_modules/.cache/ts-proto', import.meta.url));
const OPTIONS = 'forceLong=bigint,oneof=unions-value,outputServices=none,outputJsonMethods=false';

/** Encode and decode of one message, as ts-proto generates them. */
export interface TsProtoMessage {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

/** The module that ts-proto makes of package etcdserverpb. */
export async function loadTsProto(): Promise<Readonly<Record<string, TsProtoMessage>>> {
  const { file: protoFile } = loadDescriptors();
  const request = create(CodeGeneratorRequestSchema, {
    fileToGenerate: protoFile.map(({ name }) => name),
    parameter: OPTIONS,
    protoFile,
  });
  const require = createRequire(import.meta.url);
  const plugin = join(dirname(require.resolve('ts-proto/package.json')), 'protoc-gen-ts_proto');
  const run = spawnSync(process.execPath, [plugin], {
    input: toBinary(CodeGeneratorRequestSchema, request),
    maxBuffer: 1 << 28,
  });
  if (run.status !== 0) throw new Error(`ts-proto failed: ${run.stderr.toString()}`);
  const response = fromBinary(CodeGeneratorResponseSchema, run.stdout);
  mkdirSync(cache, { recursive: true });
  writeFileSync(join(cache, 'package.json'), '{ "type": "module" }\n');
  for (const { name, content } of response.file) writeFileSync(join(cache, name), content);
  return (await import(pathToFileURL(join(cache, 'etcdserverpb.ts')).href)) as Readonly<
    Record<string, TsProtoMessage>
  >;
}
