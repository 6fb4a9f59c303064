// The JSON Schema of what Stripe answers, derived from the type declarations of the npm package. Made once for each version of the package
// and kept beside it; nothing of it is part of the repository. Unknown members and unknown values of an enumeration are errors here: the
// sandbox must not invent anything.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const folder = join(dirname(require.resolve('stripe')), '..', 'esm');
const version = JSON.parse(readFileSync(join(folder, '..', 'package.json'), 'utf8')).version;
const cache = join(folder, '..', '..', '.cache', `stripe-${version}-schema.json`);

/** {roots: {object: [name…]}, $defs: {name: schema}} */
export async function schema() {
  if (!existsSync(cache)) {
    mkdirSync(dirname(cache), { recursive: true });
    writeFileSync(cache, JSON.stringify(derive((await import('typescript')).default)));
  }
  return JSON.parse(readFileSync(cache, 'utf8'));
}

function derive(ts) {
  const program = ts.createProgram([join(folder, 'stripe.esm.node.d.ts')], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    skipLibCheck: true,
    types: [],
  });
  const checker = program.getTypeChecker();
  const names = new Map();
  const $defs = {};
  const roots = {};

  for (const file of program.getSourceFiles()) {
    if (!file.fileName.includes('/esm/resources/') || file.fileName.includes('/resources/V2/')) {
      continue;
    }
    for (const statement of file.statements) {
      if (!ts.isInterfaceDeclaration(statement)) {
        continue;
      }
      const type = checker.getTypeAtLocation(statement);
      const kind = type.getProperty('object');
      const literal = kind && checker.getTypeOfSymbol(kind);
      if (literal?.isStringLiteral() && literal.value !== 'list') {
        const name = define(type);
        (roots[literal.value] ??= []).push(name);
      }
    }
  }
  return { roots, $defs };

  function define(type) {
    if (names.has(type)) {
      return names.get(type);
    }
    // The number keeps names apart that exist twice, such as Session.
    const name = `${(type.aliasSymbol ?? type.symbol)?.name ?? checker.typeToString(type)}_${names.size}`;
    names.set(type, name);
    const properties = {};
    const required = [];
    for (const property of type.getProperties()) {
      properties[property.name] = of(checker.getTypeOfSymbol(property));
      if (!(property.flags & ts.SymbolFlags.Optional)) {
        required.push(property.name);
      }
    }
    const index = type.getStringIndexType();
    $defs[name] = { type: 'object', properties, required, additionalProperties: index ? of(index) : false };
    return name;
  }

  function of(type) {
    if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) {
      return {};
    }
    if (type.isUnion()) {
      const parts = type.types.filter(part => !(part.flags & ts.TypeFlags.Undefined));
      const literals = parts.filter(part => part.isStringLiteral() || part.isNumberLiteral()).map(part => part.value);
      const others = parts
        .filter(part => !part.isStringLiteral() && !part.isNumberLiteral())
        .filter(part => !(part.isIntersection() && literals.length > 0))
        .map(of);
      const all = literals.length > 0 ? [{ enum: literals }, ...others] : others;
      return all.length === 1 ? all[0] : { anyOf: all };
    }
    if (type.isIntersection()) {
      return { type: 'string' };
    }
    if (type.flags & ts.TypeFlags.Null) {
      return { type: 'null' };
    }
    if (type.flags & ts.TypeFlags.BooleanLiteral) {
      return { const: checker.typeToString(type) === 'true' };
    }
    if (type.isStringLiteral() || type.isNumberLiteral()) {
      return { const: type.value };
    }
    if (type.flags & ts.TypeFlags.StringLike) {
      return { type: 'string' };
    }
    if (type.flags & ts.TypeFlags.NumberLike) {
      return { type: 'number' };
    }
    if (type.flags & ts.TypeFlags.BooleanLike) {
      return { type: 'boolean' };
    }
    if (checker.isArrayType(type)) {
      return { type: 'array', items: of(checker.getTypeArguments(type)[0]) };
    }
    if ((type.aliasSymbol ?? type.symbol)?.name === 'Decimal') {
      return { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]+)?$' };
    }
    return { $ref: `#/$defs/${define(type)}` };
  }
}
