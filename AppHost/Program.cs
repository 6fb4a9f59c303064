using LlmGateway.AppHost.Commands;
using LlmGateway.AppHost.Native;

Command[] commands =
[
    new("run", "", "install what is missing, start everything, print where it is", ["--seed", "--ports", "--data", "--detach", "--no-dashboard"], Run.ExecuteAsync),
    new("stop", "[NAME]", "stop the stack, or hold one of its processes down", ["--data"], Stop.ExecuteAsync),
    new("start", "NAME", "start a process again that was held down", ["--data", "--once"], Start.ExecuteAsync),
    new("status", "", "every process with its address, id and health", ["--data", "--json"], Status.ExecuteAsync),
    new("logs", "[NAME]", "the last lines of one process or of all", ["--data", "--follow", "--lines"], Logs.ExecuteAsync),
    new("verify", "", "check that the books balance to the nano-dollar", ["--data", "--wait"], Verify.ExecuteAsync),
    new("models import", "FILE", "take models and prices from LiteLLM's JSON file into the catalogue", ["--data"], Models.ImportAsync),
    new("models list", "[FILTER]", "the catalogue: models whose name contains FILTER, their limits and prices", ["--data"], Models.ListAsync),
    new("test", "[FILTER]", "run every test, or those whose full name contains FILTER", [], Test.ExecuteAsync),
    new("chaos", "", "kill everything at random under load, and see that the books stay right", ["--minutes", "--seed", "--failpoints", "--seeds", "--ports"], Chaos.ExecuteAsync),
    new("bench", "[NAME]", "what the gateway costs, side by side: edge, ledger, or both; soak: whether its memory grows", ["--quick"], Bench.ExecuteAsync),
];

try
{
    if (Arguments.AskForHelp(args))
        return Arguments.PrintHelp(commands);
    var arguments = Arguments.Parse(args, commands);
    return (int)await arguments.Command.ExecuteAsync(arguments);
}
catch (Failure failure)
{
    Console.Error.WriteLine($"./dev: {failure.Message}");
    return (int)failure.Code;
}
catch (OperationCanceledException)
{
    Console.Error.WriteLine("./dev: interrupted; nothing is left running");
    return (int)ExitCode.Failed;
}
