// npm @langchain/openai, as n8n uses it.
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { suite, question, toolQuestion, twoTools, weather, clock, answerSchema, png, longQuestion } from "./suite.mjs";

const tools = [
  { type: "function", function: { name: "weather", parameters: weather } },
  { type: "function", function: { name: "clock", parameters: clock } },
];
const calls = (message) => message.tool_calls.map(({ name, args }) => ({ name, args }));

await suite(({ url, key }) => {
  const configuration = { baseURL: `${url}/v1` };
  const open = (model, apiKey = key) => new ChatOpenAI({ model, apiKey, configuration, maxRetries: 0, streamUsage: true });
  const told = (message) => ({
    text: message.content,
    stop: message.response_metadata.finish_reason,
    input: message.usage_metadata.input_tokens,
    output: message.usage_metadata.output_tokens,
  });
  const gathered = async (stream) => {
    let whole;
    for await (const chunk of stream) whole = whole ? whole.concat(chunk) : chunk;
    return whole;
  };
  return {
    list: async () => {
      const response = await fetch(`${url}/v1/models`, { headers: { Authorization: `Bearer ${key}` } });
      return (await response.json()).data.map((model) => model.id);
    },
    chat: async (model) => told(await open(model).invoke(question)),
    stream: async (model) => told(await gathered(await open(model).stream(question))),
    async tools(model) {
      const message = await open(model).bindTools(tools).invoke(toolQuestion);
      return { stop: message.response_metadata.finish_reason, calls: calls(message) };
    },
    async toolsStreamed(model) {
      const message = await gathered(await open(model).bindTools(tools).stream(twoTools));
      return { stop: message.response_metadata.finish_reason, calls: calls(message) };
    },
    async afterTool(model) {
      const bound = open(model).bindTools(tools);
      const first = await bound.invoke(toolQuestion);
      const result = new ToolMessage({ content: "sunny", tool_call_id: first.tool_calls[0].id });
      return (await bound.invoke([new HumanMessage("what is the weather"), first, result])).content;
    },
    async image(model) {
      const content = [{ type: "text", text: question }, { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } }];
      return (await open(model).invoke([new HumanMessage({ content })])).usage_metadata.input_tokens;
    },
    structured: (model) =>
      open(model).withStructuredOutput(answerSchema, { name: "answer", method: "jsonSchema", strict: true }).invoke(question),
    embed: (model) => new OpenAIEmbeddings({ model, apiKey: key, configuration, maxRetries: 0 }).embedQuery(question),
    ask: (model, apiKey) => open(model, apiKey).invoke(question),
    async endless(model, onWord, tag) {
      const abort = new AbortController();
      for await (const chunk of await open(model).stream(`${tag} ${longQuestion}`, { signal: abort.signal }))
        if (chunk.content && !onWord()) abort.abort();
    },
  };
});
