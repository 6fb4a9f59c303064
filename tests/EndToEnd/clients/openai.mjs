// Any program that uses OpenAI's own package and knows only a base URL and a key.
import OpenAI, { toFile } from "openai";
import { collect, failure, run } from "./scenario.mjs";

const openai = ({ url, key }) => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });

const messages = [{ role: "user", content: "one two three" }];

const parameters = { type: "object", properties: { city: { type: "string" } } };
const tools = [{ type: "function", function: { name: "weather", parameters } }];
const toolQuestion = { model: "small", messages: [{ role: "user", content: 'call [[tool:weather {"city": "Rome"}]]' }], tools };

const text = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");

await run({
  async models(input) {
    const client = openai(input);
    return { list: (await collect(client.models.list())).map((model) => model.id), one: await client.models.retrieve("small") };
  },

  async chat(input) {
    const answer = await openai(input).chat.completions.create({ model: "small", messages });
    return { answer, requestId: answer._request_id };
  },

  async stream(input) {
    const chunks = await collect(await openai(input).chat.completions.create({ model: "small", messages, stream: true }));
    return {
      text: text(chunks),
      usageChunks: chunks.filter((chunk) => "usage" in chunk).length,
      emptyChunks: chunks.filter((chunk) => chunk.choices.length === 0).length,
    };
  },

  async streamWithUsage(input) {
    const request = { model: "small", messages, stream: true, stream_options: { include_usage: true } };
    const chunks = await collect(await openai(input).chat.completions.create(request));
    return { text: text(chunks), usage: chunks.at(-1).usage, choicesOfLast: chunks.at(-1).choices.length };
  },

  async tools(input) {
    const answer = await openai(input).chat.completions.create(toolQuestion);
    return { finish: answer.choices[0].finish_reason, call: answer.choices[0].message.tool_calls[0].function };
  },

  // The package's own accumulator puts the pieces of the arguments together.
  async toolsStreamed(input) {
    const answer = await openai(input).chat.completions.stream(toolQuestion).finalChatCompletion();
    return { finish: answer.choices[0].finish_reason, call: answer.choices[0].message.tool_calls[0].function };
  },

  async completions(input) {
    const ask = { model: "small", prompt: ["one two three", "four"], max_tokens: 6 };
    const whole = await openai(input).completions.create(ask);
    const chunks = await collect(await openai(input).completions.create({ ...ask, stream: true, stream_options: { include_usage: true } }));
    const choices = chunks.flatMap((chunk) => chunk.choices);
    const streamed = [0, 1].map((index) =>
      choices.filter((choice) => choice.index === index).map((choice) => choice.text).join(""));
    return { whole: whole.choices.map((choice) => choice.text), streamed, usage: chunks.at(-1).usage };
  },

  async transcriptions({ sound, ...input }) {
    const file = () => toFile(Buffer.from(sound, "base64"), "said.wav");
    const { audio } = openai(input);
    return {
      transcription: await audio.transcriptions.create({ model: input.model, file: await file(), prompt: "one two" }),
      translation: await audio.translations.create({ model: input.model, file: await file(), prompt: "one two" }),
      text: await audio.transcriptions.create({ model: "whisper", file: await file(), response_format: "text" }),
    };
  },

  fails: (input) => failure(() => openai(input).chat.completions.create({ model: input.model, messages, ...input.more })),

  modelFails: (input) => failure(() => openai(input).models.retrieve("no-such-model")),

  async streamFails(input) {
    const chunks = [];
    const error = await failure(async () => {
      const stream = await openai(input).chat.completions.create({ model: input.model, messages, stream: true });
      for await (const chunk of stream) chunks.push(chunk);
    });
    return { error, text: text(chunks) };
  },

  async abort(input) {
    const stream = await openai(input).chat.completions.create({
      model: "slow",
      messages: [{ role: "user", content: "[[tokens:500]] one two" }],
      stream: true,
      user: input.user,
    });
    let words = 0;
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta?.content && ++words === 3) stream.controller.abort();
    }
    return { words };
  },
});
