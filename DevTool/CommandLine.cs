using System.CommandLine;

namespace LlmGateway.DevTool;

/// <summary>Exit codes of <c>./dev</c>.</summary>
static class ExitCode
{
    public const int Ok = 0, Failed = 1, Usage = 2, NotFound = 3, Unavailable = 5;
}

/// <summary>Ends the command with one line for its user.</summary>
sealed class Failure(int code, string message) : Exception(message)
{
    public int Code => code;
}

/// <summary>The commands of <c>./dev</c> and their options; each command's file says the rest.</summary>
static class CommandLine
{
    static readonly Option<string> Data =
        new("--data") { Description = "The stack's data folder; each has a stack of its own (default: .data)", HelpName = "DIR" };
    static readonly Option<int?> Ports = Between(
        new Option<int?>("--ports") { Description = "The first of its ports (default: 4000)", HelpName = "BASE" }, 1024, 65_000);
    static readonly Option<string> SeedFile =
        new("--seed") { Description = "Organizations, models, customers, keys as JSON (default: the demo)", HelpName = "FILE" };
    static readonly Option<bool> Detach = new("--detach") { Description = "Return when everything is healthy" };
    static readonly Option<bool> NoDashboard = new("--no-dashboard") { Description = "Without the Aspire dashboard" };
    static readonly Option<bool> Json = new("--json") { Description = "For programs" };
    static readonly Option<bool> Follow = new("--follow", "-f") { Description = "Go on until Ctrl-C" };
    static readonly Option<int> Lines = Between(
        new Option<int>("--lines", "-n") { Description = "How many of the last ones", HelpName = "N", DefaultValueFactory = _ => 50 },
        1, 1_000_000);
    static readonly Option<int> Wait = Between(
        new Option<int>("--wait") { Description = "Seconds that work in flight may take", HelpName = "S", DefaultValueFactory = _ => 90 },
        0, 3600);
    static readonly Option<bool> Full = new("--full") { Description = "Read everything, not only what was booked since the last seal" };
    static readonly Option<int?> Minutes = Between(
        new Option<int?>("--minutes") { Description = "How long (default: 5)", HelpName = "N" }, 1, 24 * 60);
    static readonly Option<bool> Failpoints =
        new("--failpoints") { Description = "Every service at every failpoint, instead of anything at random" };
    static readonly Option<int?> Seeds = Between(
        new Option<int?>("--seeds") { Description = "How often (default: 20)", HelpName = "N" }, 1, 1000);
    static readonly Option<int?> Number = Between(
        new Option<int?>("--seed") { Description = "The number that all choices follow from", HelpName = "N" }, 0, 1_000_000_000);
    static readonly Option<bool> Quick = new("--quick") { Description = "Shorter, and less exact" };

    static readonly Argument<string> Resource = Word(new Argument<string>("NAME") { Description = "A process, as ./dev status names it" });
    static readonly Argument<string> Order = Word(new Argument<string>("COMMAND") { Description = "What its buttons do" });
    static readonly Argument<string[]> Rest =
        new("ARGUMENTS") { Description = "The command's own, after --", Arity = ArgumentArity.ZeroOrMore };
    static readonly Argument<string?> AnyResource = Word(Optional("NAME", "A process, as ./dev status names it (default: all)"));
    static readonly Argument<string> File = Word(
        new Argument<string>("FILE") { Description = "LiteLLM's model_prices_and_context_window.json" });
    static readonly Argument<string?> Filter = Word(Optional("FILTER", "A part of the name"));

    static RootCommand Root() => new(
        "Runs, tests and measures LLM Gateway on this machine. A thin front door of Aspire: `dotnet aspire` does more.")
    {
        Command("run", "Install what is missing, start everything, print where it is", [SeedFile, Ports, Data, Detach, NoDashboard], [],
            (line, token) => Run.ExecuteAsync(
                Stack(line), new(line.GetValue(SeedFile), line.GetValue(Ports), line.GetValue(NoDashboard)), line.GetValue(Detach), token)),
        Command("stop", "Stop the stack, or one of its processes", [Data], [AnyResource], (line, token) =>
            line.GetValue(AnyResource) is { } name
                ? Resources.ExecuteAsync(Stack(line), name, "stop", token)
                : Stop.ExecuteAsync(Stack(line), token)),
        Command("start", "Start a process that is stopped", [Data], [Resource], (line, token) =>
            Resources.StartAsync(Stack(line), line.GetValue(Resource)!, "start", token)),
        Command("restart", "Stop a process and start it again", [Data], [Resource], (line, token) =>
            Resources.StartAsync(Stack(line), line.GetValue(Resource)!, "restart", token)),
        Command("command", "Run a command of a process, e.g. proxy drain -- --seconds 30; see AppHost/README.md", [Data],
            [Resource, Order, Rest], (line, token) => Resources.ExecuteAsync(
                Stack(line), line.GetValue(Resource)!, line.GetValue(Order)!, token, line.GetValue(Rest)!)),
        Command("status", "Every process with its state, health and address; the screen with keys", [Data, Json], [], (line, token) =>
            Resources.DescribeAsync(Stack(line), line.GetValue(Json), token)),
        Command("logs", "What processes say", [Data, Follow, Lines], [AnyResource], (line, token) =>
            Resources.LogsAsync(Stack(line), line.GetValue(AnyResource), line.GetValue(Lines), line.GetValue(Follow), token)),
        Command("verify", "Check that the books balance to the nano-dollar, and that every event was told", [Data, Wait, Full], [],
            async (line, token) => Math.Max(
                await Resources.ExecuteAsync(
                    Stack(line), "wallet", "verify", token, "--wait", $"{line.GetValue(Wait)}",
                    "--full", line.GetValue(Full) ? "true" : "false"),
                await Resources.ExecuteAsync(Stack(line), "webhooks", "verify", token, "--wait", $"{line.GetValue(Wait)}"))),
        new Command("models", "The catalogue of models and prices")
        {
            Command("list", "Known models, their limits and prices", [Data], [Filter], (line, token) =>
                Resources.ExecuteAsync(
                    Stack(line), "sessions", "list-models", token,
                    [.. line.GetValue(Filter) is { } filter ? new[] { "--filter", filter } : []])),
            Command("import", "Take models and prices from LiteLLM's JSON file", [Data], [File], (line, token) =>
                Resources.ExecuteAsync(Stack(line), "sessions", "import-prices", token, "--file", Path.GetFullPath(line.GetValue(File)!))),
        },
        Command("test", "Run every test, or those whose full name contains FILTER", [], [Filter], (line, token) =>
            Test.ExecuteAsync(line.GetValue(Filter), token)),
        Command("chaos", "Kill everything at random under load, and see that the books stay right",
            [Minutes, Number, Failpoints, Seeds], [], (line, token) => Chaos.ExecuteAsync(
                new(line.GetValue(Failpoints), line.GetValue(Minutes) ?? 5, line.GetValue(Seeds) ?? 20, line.GetValue(Number)), token)),
        Command("bench", "What the gateway costs: edge, ledger, or both; counts: what is exact; soak: memory; scale: what grows; payments",
            [Quick], [Filter], (line, token) => Bench.ExecuteAsync(line.GetValue(Filter), line.GetValue(Quick), token)),
    };

    public static async Task<int> RunAsync(string[] args)
    {
        var line = Root().Parse(args);
        if (line.Errors.Count > 0)
        {
            foreach (var error in line.Errors)
                Console.Error.WriteLine($"./dev: {error.Message}");
            Console.Error.WriteLine("./dev --help lists the commands.");
            return ExitCode.Usage;
        }
        try
        {
            return await line.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (Failure failure)
        {
            Console.Error.WriteLine($"./dev: {failure.Message}");
            return failure.Code;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("./dev: interrupted");
            return ExitCode.Failed;
        }
    }

    static StackFolder Stack(ParseResult line) => new(line.GetValue(Data));

    static Command Command(
        string name, string purpose, Option[] options, Argument[] arguments, Func<ParseResult, CancellationToken, Task<int>> execute)
    {
        var command = new Command(name, purpose);
        foreach (var option in options)
            command.Options.Add(option);
        foreach (var argument in arguments)
            command.Arguments.Add(argument);
        command.SetAction(async (line, token) =>
        {
            using var interrupt = new Interrupt(token);
            return await execute(line, interrupt.Token);
        });
        return command;
    }

    static Argument<string?> Optional(string name, string description) =>
        new(name) { Description = description, Arity = ArgumentArity.ZeroOrOne };

    /// <summary>An option that does not exist would be taken for the argument.</summary>
    static Argument<T> Word<T>(Argument<T> argument)
    {
        argument.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: ['-', ..] and var text }, ..])
                result.AddError($"there is no option {text}");
        });
        return argument;
    }

    static Option<T> Between<T>(Option<T> option, int least, int most)
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }, ..] && !(int.TryParse(text, out var number) && number >= least && number <= most))
                result.AddError($"{option.Name} takes a whole number from {least} to {most}, not '{text}'");
        });
        return option;
    }
}
