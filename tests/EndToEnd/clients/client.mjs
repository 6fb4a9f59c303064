// A web page with the official browser package.
import { LLMGatewayClient } from "@llmgateway/client";
import { collect, failure, run } from "./scenario.mjs";

const page = ({ gatewayUrl, apiUrl, token, expiresAt }, refresh) =>
  new LLMGatewayClient({ session: { token, expiresAt }, gatewayBaseUrl: gatewayUrl, apiBaseUrl: apiUrl, refresh });

const question = (model) => ({ model, messages: [{ role: "user", content: "one two three" }] });

await run({
  chat: (input) => page(input).chat(question("small")),

  stream: async (input) => (await collect(page(input).stream(question("small")))).join(""),

  balance: (input) => page(input).getBalance(),

  async refresh(input) {
    const client = page(input);
    const session = await client.refreshSession();
    return { session, content: (await client.chat(question("small"))).content };
  },

  // The package refreshes by itself when less than a minute is left.
  async refreshesItself(input) {
    const client = page(input, () => {
      throw new Error("the backend should not be asked");
    });
    const { content } = await client.chat(question("small"));
    return { token: client.session.token, expiresAt: client.session.expiresAt, content };
  },

  // What has expired cannot refresh itself: the page asks its backend.
  async asksItsBackend(input) {
    let asked = 0;
    const client = page({ ...input, expiresAt: new Date(0).toISOString() }, async () => {
      asked++;
      return input.fresh;
    });
    return { content: (await client.chat(question("small"))).content, asked };
  },

  async fails(input) {
    const client = page(input);
    return {
      chat: await failure(() => client.chat(question(input.model))),
      stream: await failure(() => collect(client.stream(question(input.model)))),
    };
  },

  balanceFails: (input) => failure(() => page(input).getBalance()),
});
