// A client as the README makes it: its expression is evaluated as it stands, and the client is asked once in each of its ways.
// Arguments: its package, and { expression, model, question }.
import { generateText } from "ai";

const [, , from, input] = process.argv;
const { expression, model, question } = JSON.parse(input);
const name = expression.match(/^(?:new )?(\w+)/)[1];
const client = new Function(name, `return ${expression}`)((await import(from))[name]);

const messages = [{ role: "user", content: question }];
const generate = async () => [(await generateText({ model: client(model), prompt: question })).text];
const ask = {
  OpenAI: async () => [
    (await client.chat.completions.create({ model, messages })).choices[0].message.content,
    (await client.responses.create({ model, input: question })).output_text,
  ],
  Anthropic: async () => [(await client.messages.create({ model, messages, max_tokens: 100 })).content[0].text],
  GoogleGenAI: async () => [(await client.models.generateContent({ model, contents: question })).text],
  createOpenAI: generate,
  createOpenAICompatible: generate,
  ChatOpenAI: async () => [(await client.invoke(question)).content],
};
console.log(JSON.stringify(await ask[name]()));
