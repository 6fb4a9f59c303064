// What every client does with the gateway, and what each must answer; a client's script gives the calls in its own words.
//   list()                       → ids of models
//   chat(model), stream(model)   → { text, stop, input, output }
//   tools(model), toolsStreamed(model) → { stop, calls: [{ name, args }] }, for the questions below
//   afterTool(model)             → text of the answer to a tool's result
//   image(model)                 → tokens of the input
//   structured(model)            → the parsed object
//   embed(model)                 → the vector
//   ask(model, key, more)        → anything; it must raise
//   endless(model, onWord, user) → streams until onWord() returns false, then aborts
export const question = "one two three";
export const toolQuestion = 'call [[tool:weather {"city": "Rome"}]]';
export const twoTools = 'call [[tool:weather {"city": "Rome"}]] [[tool:clock {"zone": "CET"}]]';
export const weather = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
export const clock = { type: "object", properties: { zone: { type: "string" } }, required: ["zone"], additionalProperties: false };
export const answerSchema = {
  type: "object",
  properties: { answer: { type: "string" } },
  required: ["answer"],
  additionalProperties: false,
};
export const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
export const longQuestion = "[[tokens:500]] one two";

/** Runs what the command line asks of a client and prints the results; what fails unexpectedly is a result too. */
export async function suite(client) {
  const input = JSON.parse(process.argv[2]);
  const calls = client(input);
  const model = (name) => `${input.provider}-${name}`;
  const results = {};
  const step = async (name, call) => {
    if (input.only && !input.only.includes(name)) return;
    try {
      results[name] = await call();
    } catch (e) {
      results[name] = { unexpected: `${e.constructor.name} ${e.status ?? e.statusCode ?? ""}: ${e.stack}`.slice(0, 2000) };
    }
  };
  const raised = async (call) => {
    try {
      await call();
    } catch (e) {
      const known = e.lastError ?? e;
      return {
        name: known.constructor.name,
        status: known.status ?? known.statusCode ?? known.code ?? null,
        message: String(known.message).slice(0, 500),
      };
    }
    return { name: "nothing was raised" };
  };

  await step("list", () => calls.list());
  await step("chat", () => calls.chat(model("small")));
  await step("stream", () => calls.stream(model("small")));
  await step("tools", () => calls.tools(model("small")));
  await step("toolsStreamed", () => calls.toolsStreamed(model("small")));
  await step("afterTool", () => calls.afterTool(model("small")));
  await step("image", () => calls.image(model("small")));
  await step("structured", () => calls.structured(model("small")));
  if (calls.embed) await step("embed", () => calls.embed(input.embedding));
  await step("error400", () => raised(() => calls.ask(model("no-such-model"), input.key)));
  await step("error401", () => raised(() => calls.ask(model("small"), "llm_gw_wrong")));
  await step("error402", () => raised(() => calls.ask(model("small"), input.poorKey)));
  await step("error403", () => raised(() => calls.ask(model("nousage"), input.narrowKey)));
  await step("error404", () => raised(() => calls.ask(model("error-404"), input.key)));
  await step("error429", () => raised(() => calls.ask(model("error-429"), input.key)));
  await step("error5xx", () => raised(() => calls.ask(model("error-500"), input.key)));
  await step("cut", () => raised(() => calls.stream(model("cut"))));
  await step("errorMid", () => raised(() => calls.stream(model("error-mid"))));
  await step("abort", async () => {
    let words = 0;
    try {
      await calls.endless(model("slow"), () => ++words < 3, input.tag);
    } catch (e) {
      if (!/abort/i.test(`${e.name} ${e.message}`)) throw e;
    }
    return words;
  });
  console.log(JSON.stringify(results));
}
