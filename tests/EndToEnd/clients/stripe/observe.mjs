// Looks at every answer that the package gets: its status, and whether it is what the package's types say.
import Ajv from 'ajv';
import { schema } from './schema.mjs';

const ajv = new Ajv({ strict: false, allErrors: true, inlineRefs: false });
const { roots, $defs } = await schema();
ajv.addSchema({ $id: 'stripe', $defs });
const compiled = new Map();

export const seen = { answers: 0, objects: 0, kinds: new Set(), wrong: [] };

export async function observed(url, init) {
  const answer = await fetch(url, init);
  const body = await answer.clone().text();
  const where = `${init.method} ${new URL(url).pathname}`;
  seen.answers++;
  const json = JSON.parse(body);
  if (answer.ok) {
    check(json, where);
  } else if (typeof json.error?.type !== 'string' || typeof json.error?.message !== 'string') {
    seen.wrong.push(`${where}: an error without type or message: ${body}`);
  }
  for (const name of ['request-id', 'stripe-version']) {
    if (answer.status !== 401 && !answer.headers.get(name) && answer.status !== 400) {
      seen.wrong.push(`${where}: no ${name}`);
    }
  }
  return answer;
}

/** Validates an object by the schema of its kind, a list by those of its members. */
export function check(json, where) {
  if (json.object === 'list') {
    if (typeof json.has_more !== 'boolean' || typeof json.url !== 'string' || !Array.isArray(json.data)) {
      seen.wrong.push(`${where}: a list without has_more, url or data`);
    }
    json.data.forEach((item, i) => check(item, `${where} data[${i}]`));
    return;
  }
  seen.objects++;
  seen.kinds.add(json.object);
  if (json.livemode === true) {
    seen.wrong.push(`${where}: livemode`);
  }
  if (json.object === 'event') {
    check(json.data.object, `${where} ${json.type}`);
    // What an object did not have before is null here, also where the object itself is without the member.
    json.data = { object: json.data.object };
  }
  const validate = validatorOf(json);
  if (!validate) {
    seen.wrong.push(`${where}: the package has no type for ${json.object}`);
  } else if (!validate(json)) {
    const errors = validate.errors
      .filter(error => error.keyword !== 'anyOf')
      .map(error => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
    seen.wrong.push(`${where} (${json.object}): ${[...new Set(errors)].slice(0, 8).join('; ')}`);
  }
}

function validatorOf(json) {
  const names = json.object === 'event'
    ? roots.event.filter(name => $defs[name].properties.type?.const === json.type)
    : (roots[json.object] ?? []).filter(name => name.startsWith('Deleted') === (json.deleted === true));
  if (names.length === 0) {
    return undefined;
  }
  const id = names.join('|');
  if (!compiled.has(id)) {
    compiled.set(id, ajv.compile({ anyOf: names.map(name => ({ $ref: `stripe#/$defs/${name}` })) }));
  }
  return compiled.get(id);
}
