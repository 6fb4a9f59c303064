// Vercel's AI SDK, with @ai-sdk/openai (Responses, its default) or @ai-sdk/openai-compatible by the input.
import { embed, generateText, jsonSchema, Output, streamText, tool } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { suite, question, toolQuestion, twoTools, weather, clock, answerSchema, png, longQuestion } from "./suite.mjs";

const { package: name } = JSON.parse(process.argv[2]);
const tools = { weather: tool({ inputSchema: jsonSchema(weather) }), clock: tool({ inputSchema: jsonSchema(clock) }) };
const calls = (toolCalls) => toolCalls.map((call) => ({ name: call.toolName, args: call.input }));

await suite(({ url, key }) => {
  const open = (apiKey = key) =>
    name === "@ai-sdk/openai"
      ? createOpenAI({ baseURL: `${url}/v1`, apiKey })
      : createOpenAICompatible({ name: "gateway", baseURL: `${url}/v1`, apiKey, includeUsage: true, supportsStructuredOutputs: true });
  const gateway = open();
  const generate = (model, prompt, more) => generateText({ model: gateway(model), prompt, maxRetries: 0, ...more });
  const told = async (result) => ({
    text: await result.text,
    stop: await result.finishReason,
    input: (await result.usage).inputTokens,
    output: (await result.usage).outputTokens,
  });
  /** The SDK ends a stream that failed as if nothing were; the error is one of its parts. */
  const streamed = async (model, prompt, more, onWord) => {
    const result = streamText({ model: gateway(model), prompt, maxRetries: 0, onError: () => {}, ...more });
    for await (const part of result.fullStream) {
      if (part.type === "error")
        throw part.error instanceof Error ? part.error : new Error(part.error?.message ?? JSON.stringify(part.error));
      if (part.type === "text-delta" && onWord) onWord();
    }
    return result;
  };
  return {
    list: async () => {
      const response = await fetch(`${url}/v1/models`, { headers: { Authorization: `Bearer ${key}` } });
      return (await response.json()).data.map((model) => model.id);
    },
    chat: async (model) => told(await generate(model, question)),
    stream: async (model) => told(await streamed(model, question)),
    async tools(model) {
      const result = await generate(model, toolQuestion, { tools });
      return { stop: result.finishReason, calls: calls(result.toolCalls) };
    },
    async toolsStreamed(model) {
      const result = await streamed(model, twoTools, { tools });
      return { stop: await result.finishReason, calls: calls(await result.toolCalls) };
    },
    async afterTool(model) {
      const first = await generate(model, toolQuestion, { tools });
      const [call] = first.toolCalls;
      const { toolCallId, toolName } = call;
      const output = { type: "tool-result", toolCallId, toolName, output: { type: "text", value: "sunny" } };
      const messages = [{ role: "user", content: "what is the weather" }, ...first.response.messages, { role: "tool", content: [output] }];
      return (await generateText({ model: gateway(model), messages, tools, maxRetries: 0 })).text;
    },
    async image(model) {
      const content = [{ type: "text", text: question }, { type: "image", image: png, mediaType: "image/png" }];
      return (await generateText({ model: gateway(model), messages: [{ role: "user", content }], maxRetries: 0 })).usage.inputTokens;
    },
    structured: async (model) => (await generate(model, question, { output: Output.object({ schema: jsonSchema(answerSchema) }) })).output,
    embed: async (model) => {
      const embedder = gateway.embeddingModel?.(model) ?? gateway.textEmbeddingModel(model);
      return (await embed({ model: embedder, value: question, maxRetries: 0 })).embedding;
    },
    ask: (model, apiKey) => generateText({ model: open(apiKey)(model), prompt: question, maxRetries: 0 }),
    async endless(model, onWord, tag) {
      const abort = new AbortController();
      await streamed(model, `${tag} ${longQuestion}`, { abortSignal: abort.signal }, () => onWord() || abort.abort());
    },
  };
});
