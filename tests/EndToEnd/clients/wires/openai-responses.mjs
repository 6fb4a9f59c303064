// npm openai on the Responses API.
import OpenAI from "openai";
import { suite, question, toolQuestion, twoTools, weather, clock, answerSchema, png, longQuestion } from "./suite.mjs";

const tools = [
  { type: "function", name: "weather", parameters: weather, strict: true },
  { type: "function", name: "clock", parameters: clock, strict: true },
];
const calls = (response) =>
  response.output.filter((item) => item.type === "function_call").map((call) => ({ name: call.name, args: JSON.parse(call.arguments) }));

await suite(({ url, key }) => {
  const open = (apiKey = key) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
  const client = open();
  const told = (response) => ({
    text: response.output_text,
    stop: response.status,
    input: response.usage.input_tokens,
    output: response.usage.output_tokens,
  });
  return {
    list: async () => (await client.models.list()).data.map((model) => model.id),
    chat: async (model) => told(await client.responses.create({ model, input: question })),
    async stream(model) {
      let text = "";
      let last;
      for await (const event of await client.responses.create({ model, input: question, stream: true })) {
        if (event.type === "response.output_text.delta") text += event.delta;
        if (event.type === "error") throw new OpenAI.APIError(undefined, event, event.message, undefined);
        if (event.type === "response.failed")
          throw new OpenAI.APIError(undefined, event.response.error, event.response.error?.message, undefined);
        last = event;
      }
      const { response } = last;
      return { text, stop: response.status, input: response.usage.input_tokens, output: response.usage.output_tokens };
    },
    async tools(model) {
      const response = await client.responses.create({ model, input: toolQuestion, tools });
      return { stop: response.status, calls: calls(response) };
    },
    async toolsStreamed(model) {
      const response = await client.responses.stream({ model, input: twoTools, tools }).finalResponse();
      return { stop: response.status, calls: calls(response) };
    },
    async afterTool(model) {
      const first = await client.responses.create({ model, input: toolQuestion, tools });
      const input = [
        { role: "user", content: "what is the weather" },
        ...first.output,
        { type: "function_call_output", call_id: first.output.at(-1).call_id, output: "sunny" },
      ];
      return (await client.responses.create({ model, input, tools })).output_text;
    },
    async image(model) {
      const content = [
        { type: "input_text", text: question },
        { type: "input_image", image_url: `data:image/png;base64,${png}`, detail: "auto" },
      ];
      return (await client.responses.create({ model, input: [{ role: "user", content }] })).usage.input_tokens;
    },
    async structured(model) {
      const text = { format: { type: "json_schema", name: "answer", strict: true, schema: answerSchema } };
      return JSON.parse((await client.responses.create({ model, input: question, text })).output_text);
    },
    ask: (model, apiKey) => open(apiKey).responses.create({ model, input: question }),
    async endless(model, onWord, tag) {
      const stream = await client.responses.create({ model, input: `${tag} ${longQuestion}`, stream: true });
      for await (const event of stream) if (event.type === "response.output_text.delta" && !onWord()) stream.controller.abort();
    },
  };
});
