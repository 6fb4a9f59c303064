// Conversations whose earlier turns the gateway keeps: npm openai by previous_response_id, the AI SDK by references, which is its default.
import OpenAI, { NotFoundError } from "openai";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { run } from "./scenario.mjs";

const weather = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const toolQuestion = '[[thinks:5]] call [[tool:weather {"city": "Rome"}]]';

const raised = async (call) => {
  try {
    await call();
    return null;
  } catch (e) {
    return { isNotFound: e instanceof NotFoundError, status: e.status, code: e.code };
  }
};

await run({
  async openai({ url, key, strangerKey, model }) {
    const open = (apiKey) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
    const client = open(key);
    const first = await client.responses.create({ model, input: "one two three" });
    const stream = client.responses.stream({ model, input: "four five", previous_response_id: first.id });
    const second = await stream.finalResponse();
    const tools = [{ type: "function", name: "weather", parameters: weather, strict: true }];
    const reasoning = { summary: "auto" };
    const third = await client.responses.create({ model, input: toolQuestion, previous_response_id: second.id, tools, reasoning });
    const call = third.output.find((item) => item.type === "function_call");
    const output = [{ type: "function_call_output", call_id: call.call_id, output: "sunny" }];
    const last = await client.responses.create({ model, input: output, previous_response_id: third.id, tools, reasoning });

    const again = await client.responses.retrieve(second.id);
    const items = [];
    for await (const item of client.responses.inputItems.list(last.id, { order: "asc", limit: 2 })) items.push(item.type);
    const stranger = open(strangerKey);
    const strange = [
      await raised(() => stranger.responses.retrieve(second.id)),
      await raised(() => stranger.responses.create({ model, input: "x", previous_response_id: second.id })),
      await raised(() => stranger.responses.create({ model, input: [{ type: "item_reference", id: second.output[0].id }] })),
      await raised(() => stranger.responses.delete(second.id)),
    ];
    await client.responses.delete(second.id);
    return {
      inputs: [first, second, third, last].map((response) => response.usage.input_tokens),
      stored: [first, second, third, last].map((response) => response.store),
      previous: second.previous_response_id === first.id && last.previous_response_id === third.id,
      thought: third.output[0].type,
      text: last.output_text,
      same: again.id === second.id && again.output_text === second.output_text,
      items,
      strange,
      deleted: [await raised(() => client.responses.retrieve(second.id)), await raised(() => client.responses.delete(second.id))],
    };
  },

  async ai({ url, key, model }) {
    let sent = "";
    const recorded = (address, request) => {
      sent += request.body;
      return fetch(address, request);
    };
    const gateway = createOpenAI({ baseURL: `${url}/v1`, apiKey: key, fetch: recorded });
    const messages = [{ role: "user", content: "one two three" }];
    const first = await generateText({ model: gateway(model), messages, maxRetries: 0 });
    messages.push(...first.response.messages, { role: "user", content: "four five" });
    const second = streamText({ model: gateway(model), messages, maxRetries: 0, onError: () => {} });
    let streamed = "";
    for await (const part of second.fullStream) {
      if (part.type === "error") throw part.error instanceof Error ? part.error : new Error(JSON.stringify(part.error));
      if (part.type === "text-delta") streamed += part.text;
    }
    messages.push(...(await second.response).messages, { role: "user", content: toolQuestion });
    const cities = [];
    const tools = { weather: tool({ inputSchema: jsonSchema(weather), execute: ({ city }) => cities.push(city) && "sunny" }) };
    const thinking = { openai: { reasoningSummary: "auto", forceReasoning: true } };
    const third = await generateText({
      model: gateway(model), messages, tools, providerOptions: thinking, stopWhen: stepCountIs(3), maxRetries: 0,
    });
    messages.push(...third.responseMessages, { role: "user", content: "six" });
    const last = await generateText({ model: gateway(model), messages, tools, providerOptions: thinking, maxRetries: 0 });
    return {
      inputs: [first.usage, await second.usage, last.usage].map((usage) => usage.inputTokens),
      streamed,
      cities,
      steps: third.steps.length,
      thoughts: third.steps[0].reasoningText,
      references: sent.split("item_reference").length - 1,
      text: last.text,
    };
  },
});
