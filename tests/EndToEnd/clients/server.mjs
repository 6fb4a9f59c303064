// A developer's backend with the official server package.
import { LLMGateway } from "@llmgateway/server";
import { failure, run } from "./scenario.mjs";

const backend = ({ url, secretKey }) => new LLMGateway({ secretKey, apiBaseUrl: url });

await run({
  mint: (input) => backend(input).sessions.create(input.params),

  mintFails: (input) => failure(() => backend(input).sessions.create(input.params)),

  async credit(input) {
    const llm = backend(input);
    const credited = await llm.wallets.credit({ walletId: input.walletId, amount: 2.5, reason: "welcome" });
    return { credited, retrieved: await llm.wallets.retrieve(input.walletId) };
  },

  creditFails: (input) => failure(() => backend(input).wallets.credit({ walletId: input.walletId, amount: input.amount })),

  retrieveFails: (input) => failure(() => backend(input).wallets.retrieve(input.walletId)),

  async customers(input) {
    const llm = backend(input);
    const { customers } = await llm.customers.list({ limit: 200, offset: 0 });
    return { listed: customers.length, retrieved: await llm.customers.retrieve(input.customerId) };
  },

  onboard: (input) => backend(input).connect.createOnboardingLink(input.params),

  connectStatus: (input) => backend(input).connect.status(),

  payout: (input) => backend(input).connect.payout(),

  payoutFails: (input) => failure(() => backend(input).connect.payout()),

  webhookEndpoints: (input) => backend(input).webhookEndpoints.create(input.params),

  async endWebhookEndpoint(input) {
    const { webhookEndpoints } = backend(input);
    const { endpoints } = await webhookEndpoints.list();
    return { endpoints, deleted: await webhookEndpoints.del(input.params.id), left: await webhookEndpoints.list() };
  },

  webhookFails: (input) => failure(() => backend(input).webhookEndpoints.create(input.params)),

  constructEvent({ params, ...input }) {
    const { webhooks } = backend(input);
    return webhooks.constructEvent(params.payload, params.signature, params.secret);
  },

  constructEventFails: ({ params, ...input }) =>
    failure(async () => backend(input).webhooks.constructEvent(params.payload, params.signature, params.secret)),
});
