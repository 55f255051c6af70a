// The code of one message's codec: write, read, make, copy, and its const.

/** All parts of a message { name, fullName, fields, oneofs }. */
export function codecCode(message) {
  return [
    writeCode(message),
    readCode(message),
    makeCode(message),
    copyCode(message),
    constCode(message),
  ].join('\n');
}

const WIRE_TYPE = {
  bool: 0,
  enum: 0,
  int32: 0,
  uint32: 0,
  int64: 0,
  uint64: 0,
  bytes: 2,
  string: 2,
  message: 2,
};

function tagOf(field) {
  return field.number * 8 + WIRE_TYPE[field.kind];
}

/** Method of Reader and Writer for a scalar field. */
function method(field) {
  // Enums are int32 on the wire.
  if (field.kind === 'int32') return 'enum';
  return field.isId ? `${field.kind}Id` : field.kind;
}

/** Fields from the last to the first, since the writer goes backwards. */
function writeCode({ name, fields, oneofs }) {
  const lines = [];
  const done = new Set();
  for (const field of [...fields].reverse()) {
    if (field.oneof === undefined) {
      lines.push(writeField(field));
    } else if (!done.has(field.oneof)) {
      done.add(field.oneof);
      lines.push(writeOneof(oneofs.find((oneof) => oneof.property === field.oneof)));
    }
  }
  const used = fields.length > 0;
  return `export function write${name}(${used ? 'w' : '_w'}: Writer, ${used ? 'm' : '_m'}: ${name}): void {\n${lines.join('')}}\n`;
}

function writeField(field) {
  const { property, shape, kind } = field;
  if (shape === 'map') {
    return `  for (const [key, value] of [...m.${property}].reverse()) {
    const entry = w.mark();
${writeValue({ ...field, number: 2 }, 'value', '    ')}    w.string(10, key);
    w.message(${field.number * 8 + 2}, entry);
  }\n`;
  }
  if (shape === 'list' && isPackable(kind)) {
    return `  if (m.${property}.length !== 0) {
    const list = w.mark();
    for (let i = m.${property}.length - 1; i >= 0; i--) w.packed(m.${property}[i] as ${field.ts});
    w.message(${field.number * 8 + 2}, list);
  }\n`;
  }
  if (shape === 'list') {
    return `  for (let i = m.${property}.length - 1; i >= 0; i--) {
    const item = m.${property}[i] as ${field.ts};
${writeValue(field, 'item', '    ')}  }\n`;
  }
  if (kind === 'message') {
    return `  if (m.${property} !== undefined) {\n${writeValue(field, `m.${property}`, '    ')}  }\n`;
  }
  return `  if (${notZero(field, `m.${property}`)}) ${writeValue(field, `m.${property}`, '')}`;
}

function writeOneof({ property, fields }) {
  const cases = fields.map((field) => {
    return `      case '${field.property}': {\n${writeValue(field, `m.${property}.value`, '        ')}        break;\n      }\n`;
  });
  return `  if (m.${property} !== undefined) {\n    switch (m.${property}.$case) {\n${cases.join('')}    }\n  }\n`;
}

function writeValue(field, expression, indent) {
  if (field.kind !== 'message')
    return `${indent}w.${method(field)}(${tagOf(field)}, ${expression});\n`;
  const mark = `${field.property}Mark`;
  return `${indent}const ${mark} = w.mark();\n${indent}write${field.message}(w, ${expression});\n${indent}w.message(${tagOf(field)}, ${mark});\n`;
}

function notZero(field, expression) {
  if (field.kind === 'bool') return expression;
  if (field.kind === 'bytes') return `${expression}.length !== 0`;
  return `${expression} !== ${field.zero}`;
}

/** Lists of enums and of int32 are written packed and read either way; others that pack do not occur. */
function isPackable(kind) {
  if (kind === 'bool' || kind === 'uint32' || kind === 'int64' || kind === 'uint64') {
    throw new Error(`no code for a list of ${kind}`);
  }
  return kind === 'enum' || kind === 'int32';
}

function readCode({ name, fields, oneofs }) {
  const locals = [
    ...fields.filter((field) => field.oneof === undefined).map(localOf),
    ...oneofs.map(({ property }) => `  let ${property}: ${name}['${property}'] = undefined;\n`),
  ];
  const cases = fields.flatMap(readCases);
  const properties = [
    ...fields.filter((field) => field.oneof === undefined).map((field) => field.property),
    ...oneofs.map((oneof) => oneof.property),
  ];
  const body =
    fields.length === 0
      ? `  while (r.position < r.end) r.skip(r.tag());\n`
      : `  while (r.position < r.end) {\n    const tag = r.tag();\n    switch (tag) {\n${cases.join('')}      default:\n        r.skip(tag);\n    }\n  }\n`;
  return `export function read${name}(r: Reader): ${name} {\n${locals.join('')}${body}  return { ${properties.join(', ')} };\n}\n`;
}

function localOf(field) {
  if (field.shape === 'map')
    return `  const ${field.property}: Map<string, ${field.ts}> = new Map();\n`;
  if (field.shape === 'list') return `  const ${field.property}: ${field.ts}[] = [];\n`;
  const type = field.kind === 'message' ? `${field.ts} | undefined` : field.ts;
  return `  let ${field.property}: ${type} = ${field.zero};\n`;
}

function readCases(field) {
  const { property } = field;
  if (field.shape === 'map') {
    const value = field.message === undefined ? `r.${method(field)}()` : '';
    if (value !== '') throw new Error(`${field.name}: no code for a map of scalars`);
    return [
      `      case ${field.number * 8 + 2}: {
        const outer = r.enter();
        let key = '';
        let value: ${field.ts} | undefined = undefined;
        while (r.position < r.end) {
          const entryTag = r.tag();
          if (entryTag === 10) key = r.string();
          else if (entryTag === 18) {
            const inner = r.enter();
            value = read${field.message}(r);
            r.leave(inner);
          } else r.skip(entryTag);
        }
        r.leave(outer);
        ${property}.set(key, value ?? make${field.message}({}));
        break;
      }\n`,
    ];
  }
  const take = (value) => {
    if (field.oneof !== undefined)
      return `${field.oneof} = { $case: '${property}', value: ${value} };`;
    return field.shape === 'list' ? `${property}.push(${value});` : `${property} = ${value};`;
  };
  if (field.kind === 'message') {
    return [
      `      case ${tagOf(field)}: {\n        const outer = r.enter();\n        ${take(`read${field.message}(r)`)}\n        r.leave(outer);\n        break;\n      }\n`,
    ];
  }
  const single = `      case ${tagOf(field)}:\n        ${take(`r.${method(field)}()`)}\n        break;\n`;
  if (field.shape !== 'list' || !isPackable(field.kind)) return [single];
  const packed = `      case ${field.number * 8 + 2}: {\n        const outer = r.enter();\n        while (r.position < r.end) ${take(`r.${method(field)}()`)}\n        r.leave(outer);\n        break;\n      }\n`;
  return [single, packed];
}

function makeCode({ name, fields, oneofs }) {
  const lines = [
    ...fields.filter((field) => field.oneof === undefined).map(makeField),
    ...oneofs.map(
      ({ property }) => `    ${property}: make${name}${capital(property)}(p.${property}),\n`,
    ),
  ];
  const used = fields.length > 0;
  const main = `export function make${name}(${used ? 'p' : '_p'}: DeepPartial<${name}>): ${name} {\n  return {\n${lines.join('')}  };\n}\n`;
  return [main, ...oneofs.map((oneof) => makeOneof(name, oneof))].join('\n');
}

function makeField(field) {
  const { property } = field;
  const from = `p.${property}`;
  if (field.shape === 'map') return `    ${property}: new Map(${from}),\n`;
  if (field.shape === 'list') {
    const items =
      field.kind === 'message' ? `${from}?.map(make${field.message})` : `${from} && [...${from}]`;
    return `    ${property}: (${items}) ?? [],\n`;
  }
  if (field.kind === 'message') {
    return `    ${property}: ${from} === undefined ? undefined : make${field.message}(${from}),\n`;
  }
  return `    ${property}: ${from} ?? ${field.zero},\n`;
}

function makeOneof(name, { property, fields }) {
  const cases = fields.map((field) => {
    const value = field.kind === 'message' ? `make${field.message}(p.value)` : 'p.value';
    return `    case '${field.property}':\n      return { $case: p.$case, value: ${value} };\n`;
  });
  return `function make${name}${capital(property)}(p: DeepPartial<${name}>['${property}']): ${name}['${property}'] {
  switch (p?.$case) {\n${cases.join('')}    case undefined:\n      return undefined;\n  }\n}\n`;
}

function copyCode({ name, fields, oneofs }) {
  const lines = [
    ...fields.filter((field) => field.oneof === undefined).map(copyField),
    ...oneofs.map(
      ({ property }) => `    ${property}: copy${name}${capital(property)}(m.${property}),\n`,
    ),
  ];
  const used = fields.length > 0;
  const main = `export function copy${name}(${used ? 'm' : '_m'}: ${name}): ${name} {\n  return {\n${lines.join('')}  };\n}\n`;
  return [main, ...oneofs.map((oneof) => copyOneof(name, oneof))].join('\n');
}

function copyField(field) {
  const { property, kind, shape } = field;
  const from = `m.${property}`;
  if (shape === 'map') {
    return `    ${property}: new Map([...${from}].map(([key, value]) => [key, copy${field.message}(value)])),\n`;
  }
  if (shape === 'list') {
    const each =
      kind === 'message'
        ? `${from}.map(copy${field.message})`
        : kind === 'bytes'
          ? `${from}.map(copyBytes)`
          : `[...${from}]`;
    return `    ${property}: ${each},\n`;
  }
  if (kind === 'message') {
    return `    ${property}: ${from} === undefined ? undefined : copy${field.message}(${from}),\n`;
  }
  return `    ${property}: ${kind === 'bytes' ? `copyBytes(${from})` : from},\n`;
}

function copyOneof(name, { property, fields }) {
  const cases = fields.map((field) => {
    const value =
      field.kind === 'message'
        ? `copy${field.message}(m.value)`
        : field.kind === 'bytes'
          ? 'copyBytes(m.value)'
          : 'm.value';
    return `    case '${field.property}':\n      return { $case: m.$case, value: ${value} };\n`;
  });
  return `function copy${name}${capital(property)}(m: ${name}['${property}']): ${name}['${property}'] {
  switch (m?.$case) {\n${cases.join('')}    case undefined:\n      return undefined;\n  }\n}\n`;
}

function constCode({ name, fullName, fields }) {
  const lines = fields.map((field) => {
    const parts = [
      `number: ${field.number}`,
      `name: '${field.name}'`,
      `property: '${field.property}'`,
      `kind: '${field.kind}'`,
      `shape: '${field.shape}'`,
      `isId: ${field.isId}`,
      `oneof: ${field.oneof === undefined ? 'undefined' : `'${field.oneof}'`}`,
      `message: ${field.message ?? 'undefined'}`,
      `enum: ${field.enum ?? 'undefined'}`,
    ];
    return `    { ${parts.join(', ')} },\n`;
  });
  return `/** Codec of {@link ${name}}. */
export const ${name}: MessageCodec<${name}> = messageCodec({
  typeName: '${fullName}',
  fields: () => [\n${lines.join('')}  ],
  write: write${name},
  read: read${name},
  make: make${name},
  copy: copy${name},
});\n`;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
