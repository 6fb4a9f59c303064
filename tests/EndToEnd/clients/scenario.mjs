/** Runs the scenario that the command line names, with its input as JSON, and prints what it returns. */
export async function run(scenarios) {
  const [name, input] = process.argv.slice(2);
  console.log(JSON.stringify(await scenarios[name](JSON.parse(input))));
}

/** What a developer sees of a call that must fail. */
export async function failure(call) {
  try {
    await call();
  } catch (e) {
    return { name: e.constructor.name, status: e.status, message: e.message, code: e.code, param: e.param, requestId: e.requestID };
  }
  throw new Error("the call should have failed");
}

export async function collect(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}
