// What the official clients do, as they come, when the gateway refuses them: how often they ask, and what they raise.
import { failure, run } from "./scenario.mjs";

const messages = [{ role: "user", content: "one two three" }];

const calls = {
  openai: (Client, { url, key }, fetch) =>
    new Client({ baseURL: `${url}/v1`, apiKey: key, fetch }).chat.completions.create({ model: "small", messages }),
  anthropic: (Client, { url, key }, fetch) =>
    new Client({ baseURL: url, apiKey: key, fetch }).messages.create({ model: "small", max_tokens: 50, messages }),
};

await run({
  async ask({ name, ...input }) {
    const { default: Client } = await import(name);
    let asked = 0;
    const counting = (...request) => {
      asked++;
      return fetch(...request);
    };
    const error = await failure(() => calls[name === "openai" ? "openai" : "anthropic"](Client, input, counting));
    return { asked, name: error.name, status: error.status, message: error.message };
  },
});
