// npm @anthropic-ai/sdk, version 1 or 0 by the input: a batch from its creation to its end.
import { question } from "./suite.mjs";

const { url, key, model, package: name } = JSON.parse(process.argv[2]);
const { default: Anthropic } = await import(name);
const client = new Anthropic({ baseURL: url, apiKey: key });
const { batches } = client.messages;

const request = (custom_id, content) => ({ custom_id, params: { model, max_tokens: 50, messages: [{ role: "user", content }] } });
const made = await batches.create({ requests: [request("a", question), request("b", `[[tokens:5]] ${question}`)] });
while ((await batches.retrieve(made.id)).processing_status !== "ended") await new Promise((next) => setTimeout(next, 50));

const results = [];
for await (const { custom_id, result } of await batches.results(made.id))
  results.push(`${custom_id} ${result.type} ${result.message?.usage.output_tokens}`);
let listed = false;
for await (const batch of batches.list({ limit: 1 })) listed ||= batch.id === made.id;
await batches.delete(made.id);
const gone = await batches.retrieve(made.id).then(() => false, (error) => error.status === 404);
console.log(JSON.stringify({ results, listed, gone }));
