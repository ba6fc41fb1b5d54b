#!/usr/bin/env node
'use strict';
// node generate.js --out FOLDER [--seed N] [--count N]
// Types of Rust that serde and schemars know, as many as asked for, and values of them: `types.rs` for the program
// `contract-types`, and `cases.json`. The same seed is always the same files.
//
// A case is a value as clients may send it (`read`), what the server writes then (`written`), or a value that is wrong
// (`wrong`). What is left out: what the schema of a type cannot say (aliases, ranges), and what serde itself cannot
// read: maps whose keys are numbers, inside of enums that it has to buffer.
const fs = require('fs');
const path = require('path');

const args = { seed: '1', count: '500' };
for (let words = process.argv.slice(2); words.length;) {
  const name = words.shift().replace(/^--/, '');
  if (!['seed', 'count', 'out'].includes(name) || !words.length) { console.error('unknown option ' + name); process.exit(2); }
  args[name] = words.shift();
}
const VALUES = 4; // of each type that are right, and as many that are wrong

// ---- numbers

// mulberry32: small, and the same everywhere
let state = Number(args.seed) >>> 0;
function random() {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const chance = (percent) => random() * 100 < percent;
const pick = (list) => list[below(list.length)];
const times = (n, f) => Array.from({ length: n }, (_, i) => f(i));

// ---- types

// The named ones, each with what matters to those that it is a part of.
const named = [];
const INTEGERS = { u8: [0, 255], i8: [-128, 127], u16: [0, 65535], i32: [-(2 ** 31), 2 ** 31 - 1], u32: [0, 2 ** 32 - 1], i64: [-(2 ** 53 - 1), 2 ** 53 - 1], u64: [0, 2 ** 53 - 1] };
const LEAVES = ['bool', ...Object.keys(INTEGERS), 'f64', 'f32', 'String', 'String', 'char', 'Big', 'Value', '()'];
const DEFAULTS = { bool: false, f64: 0, f32: 0, String: '', vec: [], map: {}, option: null, '()': null };
const WORDS = ['red', 'line', 'page', 'item', 'user', 'to', 'of', 'type', 'in', 'value'];

const isNullable = (type) =>
  type.kind === 'option' || type.kind === '()' || type.kind === 'Value' || (type.kind === 'box' && isNullable(type.of)) || (type.kind === 'named' && named[type.index].isNullable);
const hasDefault = (type) => type.kind in DEFAULTS || type.kind in INTEGERS;
const defaultOf = (type) => (type.kind in INTEGERS ? 0 : DEFAULTS[type.kind]);
const parts = (type) => [].concat(type.of || []);
const depth = (type) => (type.kind === 'named' ? named[type.index].depth : 1 + Math.max(0, ...parts(type).map(depth)));
// serde reads the keys of what it has buffered as text alone
const hasNumberKeys = (type) =>
  (type.kind === 'map' && type.key !== 'String') || (type.kind === 'named' && named[type.index].hasNumberKeys) || parts(type).some(hasNumberKeys);
const isSymmetric = (type) => (type.kind === 'named' ? named[type.index].isSymmetric : parts(type).every(isSymmetric));

function anyType(level, allow = () => true) {
  for (;;) {
    const type = oneType(level);
    if (depth(type) <= 5 && allow(type)) return type;
  }
}

function oneType(level) {
  const dice = below(level > 2 ? 60 : 100);
  if (dice < 45) return { kind: pick(LEAVES) };
  if (dice < 60) return named.length ? { kind: 'named', index: below(named.length) } : { kind: 'bool' };
  const of = () => anyType(level + 1);
  if (dice < 70) return { kind: 'option', of: anyType(level + 1, (type) => !isNullable(type)) };
  if (dice < 80) return { kind: 'vec', of: of() };
  if (dice < 85) return { kind: 'array', of: of(), length: 1 + below(4) };
  if (dice < 90) return { kind: 'tuple', of: times(1 + below(3), of) };
  if (dice < 97) return { kind: 'map', key: pick(['String', 'String', 'u8', 'i16']), of: of() };
  return { kind: 'box', of: of() };
}

function rust(type) {
  switch (type.kind) {
    case 'named': return named[type.index].name;
    case 'option': return `Option<${rust(type.of)}>`;
    case 'vec': return `Vec<${rust(type.of)}>`;
    case 'box': return `Box<${rust(type.of)}>`;
    case 'array': return `[${rust(type.of)}; ${type.length}]`;
    case 'tuple': return `(${type.of.map((one) => rust(one) + ',').join(' ')})`;
    case 'map': return `BTreeMap<${type.key}, ${rust(type.of)}>`;
    case 'Big': return 'Big<u64>';
    case 'me': return 'Option<Box<Self>>';
    default: return type.kind;
  }
}

// ---- names

const words = () => times(1 + below(2), () => pick(WORDS));
const capital = (word) => word[0].toUpperCase() + word.slice(1);
const FIELD_CASES = {
  camelCase: (name) => name.replace(/_(.)/g, (_, c) => c.toUpperCase()),
  PascalCase: (name) => capital(FIELD_CASES.camelCase(name)),
  'kebab-case': (name) => name.replace(/_/g, '-'),
  SCREAMING_SNAKE_CASE: (name) => name.toUpperCase(),
};
const VARIANT_CASES = {
  lowercase: (name) => name.toLowerCase(),
  camelCase: (name) => name[0].toLowerCase() + name.slice(1),
  snake_case: (name) => name.replace(/(?!^)([A-Z])/g, '_$1').toLowerCase(),
  'kebab-case': (name) => VARIANT_CASES.snake_case(name).replace(/_/g, '-'),
};

// Fields of a struct or of a variant; `rename` is what the whole says of their names.
let fieldNumber = 0; // no two fields have one name, so that any struct can be flattened into any other
function makeFields(count, allow, rename, mayRefer) {
  return times(count, () => {
    const ident = [...words(), 'f' + fieldNumber++].join('_');
    const field = { ident, attributes: [], isOptional: false, isSkipped: false, isDefault: false };
    field.read = field.written = rename ? FIELD_CASES[rename](ident) : ident;
    field.type = mayRefer && chance(6) ? { kind: 'me', of: [] } : anyType(0, allow);
    if (chance(8)) {
      field.read += ' in'; field.written += '-"out"';
      field.attributes.push(`rename(deserialize = ${JSON.stringify(field.read)}, serialize = ${JSON.stringify(field.written)})`);
    } else if (chance(10)) {
      field.read = field.written = pick(['a b', 'é', '1', 'x/y~z', '$ref', '']) + ' ' + ident;
      field.attributes.push(`rename = ${JSON.stringify(field.read)}`);
    }
    const isOption = field.type.kind === 'option' || field.type.kind === 'me';
    if (isOption) field.isOptional = true; // serde reads what is missing as `None`
    if (hasDefault(field.type) && chance(25)) { field.attributes.push('default'); field.isOptional = field.isDefault = true; }
    if (isOption && chance(30)) { field.attributes.push('skip_serializing_if = "Option::is_none"'); field.isSkipped = true; }
    if (chance(15)) field.docs = pick(['What it is.', 'Not */ the end.', 'Several\n/// lines.']);
    return field;
  });
}
const fieldText = (field, visibility) =>
  `${field.docs ? `    /// ${field.docs}\n` : ''}${field.attributes.length ? `    #[serde(${field.attributes.join(', ')})]\n` : ''}    ${visibility}${field.ident}: ${rust(field.type)},\n`;
const isSameBothWays = (field) => field.read === field.written && (field.type.kind === 'me' || isSymmetric(field.type));
const typesOf = (fields) => fields.map((field) => field.type).filter((type) => type.kind !== 'me');

function makeType(index) {
  const name = 'T' + index;
  const dice = below(100);
  if (dice < 50) return makeStruct(name);
  if (dice < 60) {
    const types = times(dice < 55 ? 1 : 2 + below(2), () => anyType(0));
    const isOne = types.length === 1;
    return {
      name, form: 'tuple', types, isNullable: isOne && isNullable(types[0]), of: types, isSymmetric: types.every(isSymmetric),
      text: `struct ${name}(${types.map(rust).join(', ')});`,
    };
  }
  if (dice < 62) return { name, form: 'unit', isNullable: true, of: [], isSymmetric: true, text: `struct ${name};` };
  return dice < 90 ? makeEnum(name) : makeUntagged(name);
}

function makeStruct(name) {
  const rename = chance(40) && pick(Object.keys(FIELD_CASES));
  const fields = makeFields(1 + below(5), () => true, rename, true);
  const attributes = rename ? [`rename_all = "${rename}"`] : [];
  // what is flattened is read from what is buffered
  const flat = named.map((type, index) => ({ kind: 'named', index })).filter((type) => named[type.index].form === 'struct' && named[type.index].canBePart && !hasNumberKeys(type) && depth(type) < 4);
  const inside = chance(15) && flat.length ? pick(flat) : null;
  const denies = !inside && chance(15);
  if (denies) attributes.push('deny_unknown_fields');
  const flattened = inside ? `    #[serde(flatten)]\n    flat_${fieldNumber++}: ${rust(inside)},\n` : '';
  return {
    name, form: 'struct', fields, inside, isNullable: false,
    // whose fields may stand among those of another
    canBePart: !denies && !inside && !fields.some((field) => field.type.kind === 'me'),
    of: [...typesOf(fields), ...(inside ? [inside] : [])],
    isSymmetric: fields.every(isSameBothWays) && (!inside || isSymmetric(inside)),
    text: `${attributes.length ? `#[serde(${attributes.join(', ')})]\n` : ''}struct ${name} {\n${fields.map((field) => fieldText(field, '')).join('')}${flattened}}`,
  };
}

function makeEnum(name) {
  const tagging = pick(['external', 'external', 'plain', 'internal', 'adjacent']);
  const isBuffered = tagging === 'internal' || tagging === 'adjacent';
  const allow = (type) => !isBuffered || !hasNumberKeys(type);
  const rename = chance(50) && pick(Object.keys(VARIANT_CASES));
  const parts = named.map((type, index) => ({ kind: 'named', index })).filter((type) => named[type.index].form === 'struct' && named[type.index].canBePart && !hasNumberKeys(type) && depth(type) < 4);
  const variants = times(1 + below(4), (number) => {
    const ident = words().map(capital).join('') + number;
    const variant = { ident, wire: rename ? VARIANT_CASES[rename](ident) : ident, attributes: [] };
    if (chance(10)) { variant.wire = 'the ' + ident; variant.attributes.push(`rename = ${JSON.stringify(variant.wire)}`); }
    const forms = { plain: ['unit'], internal: parts.length ? ['unit', 'struct', 'part'] : ['unit', 'struct'] }[tagging] || ['unit', 'newtype', 'tuple', 'struct'];
    variant.form = pick(forms);
    if (variant.form === 'newtype') variant.types = [anyType(0, allow)];
    if (variant.form === 'part') variant.types = [pick(parts)];
    if (variant.form === 'tuple') variant.types = times(2 + below(2), () => anyType(0, allow));
    if (variant.form === 'struct') variant.fields = makeFields(1 + below(3), allow, null, false);
    return variant;
  });
  const attributes = [];
  const tag = 'tag' + fieldNumber++;
  if (tagging === 'internal') attributes.push(`tag = "${tag}"`);
  if (tagging === 'adjacent') attributes.push(`tag = "${tag}"`, 'content = "content"');
  if (rename) attributes.push(`rename_all = "${rename}"`);
  const body = variants.map((variant) => {
    const serde = variant.attributes.length ? `    #[serde(${variant.attributes.join(', ')})]\n` : '';
    const inner = variant.types ? `(${variant.types.map(rust).join(', ')})` : variant.fields ? ` {\n${variant.fields.map((field) => fieldText(field, '')).join('')}    }` : '';
    return `${serde}    ${variant.ident}${inner},\n`;
  });
  const of = variants.flatMap((variant) => variant.types || typesOf(variant.fields || []));
  return {
    name, form: 'enum', tagging, tag, variants, isNullable: false, of,
    isSymmetric: of.every(isSymmetric) && variants.every((variant) => (variant.fields || []).every(isSameBothWays)),
    text: `${attributes.length ? `#[serde(${attributes.join(', ')})]\n` : ''}enum ${name} {\n${body.join('')}}`,
  };
}

// Each variant is another kind of JSON, lists before objects: a struct is read from a list, too.
function makeUntagged(name) {
  const allow = (type) => !hasNumberKeys(type);
  const kinds = ['null', 'boolean', 'number', 'string', 'array', 'object'].filter(() => chance(50));
  if (!kinds.length) kinds.push('string');
  const variants = kinds.map((kind, number) => {
    const ident = capital(kind) + number;
    if (kind === 'null') return { ident, kind, form: 'unit' };
    if (kind === 'object') return { ident, kind, form: 'struct', fields: makeFields(1 + below(3), allow, null, false) };
    const type = { boolean: { kind: 'bool' }, number: { kind: pick(['f64', 'u32']) }, string: { kind: 'String' } }[kind] || { kind: 'vec', of: anyType(1, allow) };
    return { ident, kind, form: 'newtype', types: [type] };
  });
  const body = variants.map((variant) => {
    const inner = variant.types ? `(${rust(variant.types[0])})` : variant.fields ? ` {\n${variant.fields.map((field) => fieldText(field, '')).join('')}    }` : '';
    return `    ${variant.ident}${inner},\n`;
  });
  const of = variants.flatMap((variant) => variant.types || typesOf(variant.fields || []));
  return {
    name, form: 'enum', tagging: 'untagged', variants, kinds, isNullable: kinds.includes('null'), of,
    isSymmetric: of.every(isSymmetric) && variants.every((variant) => (variant.fields || []).every(isSameBothWays)),
    text: `#[serde(untagged)]\nenum ${name} {\n${body.join('')}}`,
  };
}

// ---- values: `[read, written]`

const same = (value) => [value, value];
const TEXTS = ['', 'a', 'text', 'é€😀', '"quoted"', 'a\\b\n', '*/', '</script>'];

function value(type, level, me) {
  const of = (one) => value(one, level + 1, me);
  switch (type.kind) {
    case 'bool': return same(chance(50));
    case 'f64': case 'f32': return same((below(2000) - 1000) / 4);
    case 'String': return same(pick(TEXTS));
    case 'char': return same(pick(['a', 'é', '€', '😀', '"']));
    case 'Big': return same(String(pick(['0', '7', '9007199254740993', '18446744073709551615'])));
    case 'Value': return same(pick([null, true, -7, 1.5, 'text', [], [1, 'a'], {}, { a: { b: null } }]));
    case '()': return same(null);
    case 'me': return me && level < 3 && chance(40) ? me(level + 1) : same(null);
    case 'option': return level > 6 || chance(30) ? same(null) : of(type.of);
    case 'box': return of(type.of);
    case 'vec': return both(times(level > 4 ? 0 : below(3), () => of(type.of)));
    case 'array': return both(times(type.length, () => of(type.of)));
    case 'tuple': return both(type.of.map(of));
    case 'map': {
      const keys = type.key === 'String' ? ['', 'a', 'b c', 'é'] : ['0', '7', type.key === 'u8' ? '255' : '-300'];
      const entries = keys.filter(() => level < 5 && chance(40)).map((key) => [key, of(type.of)]);
      return [0, 1].map((way) => Object.fromEntries(entries.map(([key, one]) => [key, one[way]])));
    }
    case 'named': return namedValue(named[type.index], level);
    default: {
      const [least, most] = INTEGERS[type.kind];
      return same(pick([least, most, least + below(Math.min(most - least, 1000)), 0]));
    }
  }
}
const both = (list) => [list.map((one) => one[0]), list.map((one) => one[1])];

function fieldValues(fields, level, me) {
  const result = [{}, {}];
  for (const field of fields) {
    let [read, written] = value(field.type, level + 1, me);
    const isLeftOut = field.isOptional && chance(35);
    if (isLeftOut) written = field.type.kind === 'me' ? null : defaultOf(field.type);
    else result[0][field.read] = read;
    if (!(field.isSkipped && written === null)) result[1][field.written] = written;
  }
  return result;
}

function namedValue(type, level) {
  if (type.form === 'unit') return same(null);
  if (type.form === 'tuple') {
    const values = type.types.map((one) => value(one, level + 1));
    return values.length === 1 ? values[0] : both(values);
  }
  if (type.form === 'struct') {
    const me = (deeper) => namedValue(type, deeper);
    const own = fieldValues(type.fields, level, me);
    if (!type.inside) return own;
    const inner = value(type.inside, level + 1);
    return [{ ...own[0], ...inner[0] }, { ...own[1], ...inner[1] }];
  }
  const variant = pick(type.variants);
  const content = variant.form === 'unit' ? null
    : variant.fields ? fieldValues(variant.fields, level)
    : variant.types.length === 1 ? value(variant.types[0], level + 1)
    : both(variant.types.map((one) => value(one, level + 1)));
  return [0, 1].map((way) => {
    const inner = content && content[way];
    switch (type.tagging) {
      case 'untagged': return inner;
      case 'internal': return { [type.tag]: variant.wire, ...inner };
      case 'adjacent': return content ? { [type.tag]: variant.wire, content: inner } : { [type.tag]: variant.wire };
      default: return content ? { [variant.wire]: inner } : variant.wire;
    }
  });
}

// ---- wrong values: of another kind of JSON at one place; nothing if no value is wrong

function wrong(type, level = 0) {
  const of = (one) => wrong(one, level + 1);
  const within = (list) => {
    // one of them is wrong, all others are right
    const at = below(list.length);
    const bad = of(list[at]);
    return bad && [list.map((one, i) => (i === at ? bad[0] : value(one, 3)[0]))];
  };
  switch (type.kind) {
    case 'Value': return null;
    case 'String': case 'char': return [pick([7, true, null, {}])];
    case 'Big': return [pick([true, null, {}])];
    case '()': return [pick([7, 'wrong', true])];
    case 'option': return times(20, () => of(type.of)).find((bad) => bad && bad[0] !== null) || null;
    case 'me': return [7];
    case 'box': return of(type.of);
    case 'vec': { const bad = chance(60) && of(type.of); return bad ? [[bad[0]]] : [pick([7, 'wrong', null])]; }
    case 'array': return (chance(60) && within(times(type.length, () => type.of))) || [pick([7, 'wrong', null])];
    case 'tuple': return (chance(60) && within(type.of)) || [pick([7, 'wrong', null])];
    case 'map': { const bad = chance(60) && of(type.of); return bad ? [{ 7: bad[0] }] : [pick([7, 'wrong', null])]; }
    case 'named': return wrongNamed(named[type.index], level);
    default: return [pick(['wrong', null, {}])];
  }
}

function wrongFields(fields, level) {
  const [read] = fieldValues(fields, 3);
  const field = pick(fields);
  // a box of an option may be missing, though its schema says nothing of that
  if (!field.isOptional && !isNullable(field.type) && chance(30)) { delete read[field.read]; return [read]; }
  const bad = wrong(field.type, level + 1);
  if (!bad) return null;
  read[field.read] = bad[0];
  return [read];
}

function wrongNamed(type, level) {
  const anything = [pick([7, true, 'wrong'])];
  if (type.form === 'unit') return anything;
  if (type.form === 'tuple') return type.types.length === 1 ? wrong(type.types[0], level + 1) : wrong({ kind: 'tuple', of: type.types }, level);
  if (type.form === 'struct') {
    const bad = !type.inside && chance(75) && wrongFields(type.fields, level);
    return bad || anything;
  }
  if (type.tagging === 'untagged') {
    const other = { null: null, boolean: true, number: 7, string: 'wrong', array: [], object: { wrong: 1 } };
    const left = Object.keys(other).filter((kind) => !type.kinds.includes(kind));
    return left.length ? [other[pick(left)]] : null;
  }
  const variant = pick(type.variants);
  const bad = variant.form === 'unit' || variant.form === 'part' ? null
    : variant.fields ? wrongFields(variant.fields, level)
    : variant.types.length === 1 ? wrong(variant.types[0], level + 1)
    : wrong({ kind: 'tuple', of: variant.types }, level);
  switch (type.tagging) {
    case 'internal': return bad ? [{ [type.tag]: variant.wire, ...bad[0] }] : [pick([{ [type.tag]: 'wrong' }, 7])];
    case 'adjacent': return bad ? [{ [type.tag]: variant.wire, content: bad[0] }] : [pick([{ [type.tag]: 'wrong' }, 7])];
    default: return bad ? [{ [variant.wire]: bad[0] }] : [pick(['wrong', 7, { wrong: null }])];
  }
}

// ---- all of it

const count = Number(args.count);
const cases = [];
for (let index = 0; index < count; index++) {
  const type = makeType(index);
  type.depth = 1 + Math.max(0, ...type.of.map(depth));
  type.hasNumberKeys = type.of.some(hasNumberKeys);
  named.push(type);
}
named.forEach((type, index) => {
  const me = { kind: 'named', index };
  for (let i = 0; i < VALUES; i++) {
    const [read, written] = value(me, 0);
    cases.push({ type: index, read, written });
  }
  for (let i = 0; i < VALUES; i++) {
    const bad = wrong(me);
    if (bad) cases.push({ type: index, wrong: bad[0] });
  }
});

const events = (method) => named.map((type, index) => method(type.name, index)).join('\n');
const text = `// Written by generate.js with the seed ${args.seed}.
${named.map((type) => `#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]\n${type.text}`).join('\n\n')}

const RUNS: &[Run] = &[
${named.map((type) => `    ${type.isSymmetric ? 'both_ways' : 'one_way'}::<${type.name}>,`).join('\n')}
];

#[contract(version = "0.0.${args.seed}")]
mod generated {
    use super::*;
    pub(super) trait FromClient {
${events((name, index) => `        #[event("${index}")]\n        fn event_${index}(&self, value: ${name});`)}
    }
    pub(super) trait ToClient {
${events((name, index) => `        #[event("${index}")]\n        fn event_${index}(value: &${name});`)}
    }
}
`;
fs.mkdirSync(args.out, { recursive: true });
write('types.rs', text);
write('cases.json', JSON.stringify(cases));
console.log(`seed ${args.seed}: ${count} types, ${cases.length} values`);

// The time of a file that is as it was stays as it was, so that it is not compiled again.
function write(name, text) {
  const file = path.join(args.out, name);
  if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) fs.writeFileSync(file, text);
}
