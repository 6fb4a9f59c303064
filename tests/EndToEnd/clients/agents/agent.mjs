// An agent of @openai/agents with two tools, and a conversation that goes on from what the run before left.
// Argument: the model. Environment: OPENAI_BASE_URL, OPENAI_API_KEY and PROMPT. The history is in history.json of the working folder.
import { readFileSync, writeFileSync, existsSync } from "node:fs";
import { Agent, run, setTracingDisabled, tool } from "@openai/agents";

setTracingDisabled(true);
const text = { type: "string" };
const parameters = (properties) =>
  ({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
const tools = [
  tool({
    name: "read_file",
    description: "Reads a file.",
    parameters: parameters({ path: text }),
    execute: ({ path }) => readFileSync(path, "utf8"),
  }),
  tool({
    name: "edit_file",
    description: "Replaces a text in a file.",
    parameters: parameters({ path: text, from: text, to: text }),
    execute: ({ path, from, to }) => {
      writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
      return "done";
    },
  }),
];
const agent = new Agent({ name: "editor", instructions: "You edit files.", model: process.argv[2], tools });
const history = existsSync("history.json") ? JSON.parse(readFileSync("history.json", "utf8")) : [];
const result = await run(agent, [...history, { role: "user", content: process.env.PROMPT }]);
writeFileSync("history.json", JSON.stringify(result.history));
console.log(result.finalOutput);
