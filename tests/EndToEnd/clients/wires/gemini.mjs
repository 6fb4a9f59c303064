// npm @google/genai, version 3 or 2 by the input.
import { suite, question, toolQuestion, twoTools, weather, clock, answerSchema, png, longQuestion } from "./suite.mjs";

const { package: name } = JSON.parse(process.argv[2]);
const { GoogleGenAI } = await import(name);

const tools = [{
  functionDeclarations: [
    { name: "weather", parametersJsonSchema: weather },
    { name: "clock", parametersJsonSchema: clock },
  ],
}];
const calls = (parts) =>
  parts.filter((part) => part.functionCall).map((part) => ({ name: part.functionCall.name, args: part.functionCall.args }));
const user = (text) => ({ role: "user", parts: [{ text }] });

await suite(({ url, key }) => {
  const open = (apiKey = key) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } });
  const { models } = open();
  return {
    async list() {
      const ids = [];
      for await (const model of await models.list()) ids.push(model.name.replace(/^models\//, ""));
      return ids;
    },
    async chat(model) {
      const answer = await models.generateContent({ model, contents: question });
      const { promptTokenCount: input, candidatesTokenCount: output } = answer.usageMetadata;
      return { text: answer.text, stop: answer.candidates[0].finishReason, input, output };
    },
    async stream(model) {
      const result = { text: "" };
      for await (const chunk of await models.generateContentStream({ model, contents: question })) {
        result.text += chunk.text ?? "";
        result.stop = chunk.candidates?.[0]?.finishReason ?? result.stop;
        const usage = chunk.usageMetadata;
        if (usage) [result.input, result.output] = [usage.promptTokenCount, usage.candidatesTokenCount];
      }
      return result;
    },
    async tools(model) {
      const answer = await models.generateContent({ model, contents: toolQuestion, config: { tools } });
      return { stop: answer.candidates[0].finishReason, calls: calls(answer.candidates[0].content.parts) };
    },
    async toolsStreamed(model) {
      const result = { calls: [] };
      for await (const chunk of await models.generateContentStream({ model, contents: twoTools, config: { tools } })) {
        result.calls.push(...calls(chunk.candidates?.[0]?.content?.parts ?? []));
        result.stop = chunk.candidates?.[0]?.finishReason ?? result.stop;
      }
      return result;
    },
    async afterTool(model) {
      const first = await models.generateContent({ model, contents: toolQuestion, config: { tools } });
      const { content } = first.candidates[0];
      const call = content.parts.find((part) => part.functionCall).functionCall;
      const result = { role: "user", parts: [{ functionResponse: { id: call.id, name: call.name, response: { output: "sunny" } } }] };
      return (await models.generateContent({ model, contents: [user("what is the weather"), content, result], config: { tools } })).text;
    },
    image: async (model) =>
      (await models.generateContent({
        model,
        contents: [{ role: "user", parts: [{ text: question }, { inlineData: { mimeType: "image/png", data: png } }] }],
      }))
        .usageMetadata.promptTokenCount,
    structured: async (model) =>
      JSON.parse((await models.generateContent({
        model,
        contents: question,
        config: { responseMimeType: "application/json", responseJsonSchema: answerSchema },
      })).text),
    embed: async (model) => (await models.embedContent({ model, contents: question })).embeddings[0].values,
    ask: (model, apiKey) => open(apiKey).models.generateContent({ model, contents: question }),
    async endless(model, onWord, tag) {
      const abort = new AbortController();
      const contents = `${tag} ${longQuestion}`;
      const stream = await models.generateContentStream({ model, contents, config: { abortSignal: abort.signal } });
      for await (const chunk of stream) if (chunk.text && !onWord()) abort.abort();
    },
  };
});
