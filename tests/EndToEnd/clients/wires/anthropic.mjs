// npm @anthropic-ai/sdk, version 1 or 0 by the input.
import { suite, question, toolQuestion, twoTools, weather, clock, answerSchema, png, longQuestion } from "./suite.mjs";

const { package: name } = JSON.parse(process.argv[2]);
const { default: Anthropic } = await import(name);

const tools = [{ name: "weather", input_schema: weather }, { name: "clock", input_schema: clock }];
const calls = (message) =>
  message.content.filter((block) => block.type === "tool_use").map((block) => ({ name: block.name, args: block.input }));
const text = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
const user = (content) => [{ role: "user", content }];

await suite(({ url, key }) => {
  const open = (apiKey = key) => new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
  const client = open();
  const send = (model, content, more) => client.messages.create({ model, max_tokens: 500, messages: user(content), ...more });
  return {
    list: async () => (await client.models.list()).data.map((model) => model.id),
    async chat(model) {
      const message = await send(model, question);
      return { text: text(message), stop: message.stop_reason, input: message.usage.input_tokens, output: message.usage.output_tokens };
    },
    async stream(model) {
      const message = await client.messages.stream({ model, max_tokens: 500, messages: user(question) }).finalMessage();
      return { text: text(message), stop: message.stop_reason, input: message.usage.input_tokens, output: message.usage.output_tokens };
    },
    async tools(model) {
      const message = await send(model, toolQuestion, { tools });
      return { stop: message.stop_reason, calls: calls(message) };
    },
    async toolsStreamed(model) {
      const message = await client.messages.stream({ model, max_tokens: 500, messages: user(twoTools), tools }).finalMessage();
      return { stop: message.stop_reason, calls: calls(message) };
    },
    async afterTool(model) {
      const first = await send(model, toolQuestion, { tools });
      const result = { type: "tool_result", tool_use_id: first.content.at(-1).id, content: "sunny" };
      const messages = [...user("what is the weather"), { role: "assistant", content: first.content }, { role: "user", content: [result] }];
      return text(await client.messages.create({ model, max_tokens: 500, messages, tools }));
    },
    image: async (model) =>
      (await send(model, [
        { type: "text", text: question },
        { type: "image", source: { type: "base64", media_type: "image/png", data: png } },
      ])).usage.input_tokens,
    structured: async (model) => {
      const format = { type: "json_schema", schema: answerSchema };
      return JSON.parse(text(await send(model, question, { output_config: { format } })));
    },
    ask: (model, apiKey) => open(apiKey).messages.create({ model, max_tokens: 500, messages: user(question) }),
    async endless(model, onWord, tag) {
      const stream = client.messages.stream({ model, max_tokens: 900, messages: user(`${tag} ${longQuestion}`) });
      stream.on("text", () => onWord() || stream.abort());
      await stream.done();
    },
  };
});
