// npm openai on chat completions.
import OpenAI from "openai";
import { suite, question, toolQuestion, twoTools, weather, clock, answerSchema, png, longQuestion } from "./suite.mjs";

const tools = [
  { type: "function", function: { name: "weather", parameters: weather } },
  { type: "function", function: { name: "clock", parameters: clock } },
];
const calls = (message) => message.tool_calls.map((call) => ({ name: call.function.name, args: JSON.parse(call.function.arguments) }));
const user = (content) => [{ role: "user", content }];

await suite(({ url, key }) => {
  const open = (apiKey = key) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
  const client = open();
  const chat = (body, options) => client.chat.completions.create(body, options);
  return {
    list: async () => (await client.models.list()).data.map((model) => model.id),
    async chat(model) {
      const { choices, usage } = await chat({ model, messages: user(question) });
      return {
        text: choices[0].message.content,
        stop: choices[0].finish_reason,
        input: usage.prompt_tokens,
        output: usage.completion_tokens,
      };
    },
    async stream(model) {
      const result = { text: "" };
      for await (const chunk of await chat({ model, messages: user(question), stream: true, stream_options: { include_usage: true } })) {
        result.text += chunk.choices[0]?.delta?.content ?? "";
        result.stop = chunk.choices[0]?.finish_reason ?? result.stop;
        if (chunk.usage) [result.input, result.output] = [chunk.usage.prompt_tokens, chunk.usage.completion_tokens];
      }
      return result;
    },
    async tools(model) {
      const { choices } = await chat({ model, messages: user(toolQuestion), tools });
      return { stop: choices[0].finish_reason, calls: calls(choices[0].message) };
    },
    async toolsStreamed(model) {
      const { choices } = await client.chat.completions.stream({ model, messages: user(twoTools), tools }).finalChatCompletion();
      return { stop: choices[0].finish_reason, calls: calls(choices[0].message) };
    },
    async afterTool(model) {
      const first = await chat({ model, messages: user(toolQuestion), tools });
      const { message } = first.choices[0];
      const second = await chat({
        model,
        tools,
        messages: [...user("what is the weather"), message, { role: "tool", tool_call_id: message.tool_calls[0].id, content: "sunny" }],
      });
      return second.choices[0].message.content;
    },
    async image(model) {
      const content = [{ type: "text", text: question }, { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } }];
      return (await chat({ model, messages: user(content) })).usage.prompt_tokens;
    },
    async structured(model) {
      const format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema: answerSchema } };
      return JSON.parse((await chat({ model, messages: user(question), response_format: format })).choices[0].message.content);
    },
    embed: async (model) => (await client.embeddings.create({ model, input: question })).data[0].embedding,
    ask: (model, apiKey) => open(apiKey).chat.completions.create({ model, messages: user(question) }),
    async endless(model, onWord, tag) {
      const stream = await chat({ model, messages: user(`${tag} ${longQuestion}`), stream: true });
      for await (const chunk of stream) if (chunk.choices[0]?.delta?.content && !onWord()) stream.controller.abort();
    },
  };
});
