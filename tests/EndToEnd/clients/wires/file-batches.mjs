// npm openai: a file, a batch of it, and its results.
import OpenAI, { toFile } from "openai";
import { question } from "./suite.mjs";

const { url, key, model } = JSON.parse(process.argv[2]);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
const endpoint = "/v1/chat/completions";

const line = (custom_id, content) => {
  const body = { model, max_completion_tokens: 50, messages: [{ role: "user", content }] };
  return JSON.stringify({ custom_id, method: "POST", url: endpoint, body });
};
const lines = [line("a", question), line("b", `[[tokens:5]] ${question}`)].join("\n");
const file = await client.files.create({ purpose: "batch", file: await toFile(Buffer.from(lines), "lines.jsonl") });
const made = await client.batches.create({ input_file_id: file.id, endpoint, completion_window: "24h", metadata: { job: "nightly" } });
let batch = made;
while (batch.status !== "completed") {
  await new Promise((next) => setTimeout(next, 50));
  batch = await client.batches.retrieve(made.id);
}

const output = await (await client.files.content(batch.output_file_id)).text();
const results = output.trim().split("\n").map((text) => JSON.parse(text)).map(({ custom_id, response }) =>
  `${custom_id} ${response.status_code} ${response.body.usage.completion_tokens}`);
let listed = false;
for await (const one of client.batches.list({ limit: 1 })) listed ||= one.id === made.id;
await client.files.delete(file.id);
const gone = await client.files.retrieve(file.id).then(() => false, (error) => error.status === 404);
console.log(JSON.stringify({ results, listed, gone, metadata: batch.metadata.job }));
