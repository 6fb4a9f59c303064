using System.Globalization;
using LlmGateway.AppHost.Native;

namespace LlmGateway.AppHost.Commands;

/// <param name="Operand">What may follow the name, for the help; in brackets when it is optional.</param>
sealed record Command(string Name, string Operand, string Purpose, string[] Options, Func<Arguments, Task<ExitCode>> ExecuteAsync);

/// <summary>A command line that was understood.</summary>
sealed class Arguments
{
    /// <summary>Every option there is; those without a value name are switches.</summary>
    static readonly (string Name, string? Value, string Purpose)[] Known =
    [
        ("--seed", "FILE", "organizations, models, customers, keys (default: AppHost/demo.seed.json); for chaos the number that all its choices follow from"),
        ("--ports", "BASE", $"gateway on BASE+1 and BASE+2, everything else moves along (default: {Topology.DefaultBase})"),
        ("--data", "DIR", "where the stack keeps its data, logs and state (default: .data)"),
        ("--detach", null, "return when everything is healthy"),
        ("--no-dashboard", null, "without the Aspire dashboard"),
        ("--json", null, "for programs; the tests find the stack with it"),
        ("--follow", null, "go on until Ctrl-C"),
        ("--lines", "N", "how many per process (default: 50)"),
        ("--quick", null, "short runs: for development, not for figures"),
        ("--minutes", "N", "how long to go on (default: 5)"),
        ("--failpoints", null, "every service dies at every failpoint, instead of anything anywhere"),
        ("--seeds", "N", "with --failpoints: how often, each time in another order (default: 20)"),
        ("--once", "NAME=VALUE", "a change of its environment for this start only, e.g. FAILPOINTS=proxy.end.spooled:1:kill"),
        ("--wait", "SECONDS", "how long it may take until work in flight is booked (default: 90)"),
    ];

    readonly Dictionary<string, string> given = [];

    Arguments(Command command) => Command = command;

    public Command Command { get; }

    public string? Operand { get; private set; }

    public string? Value(string option) => given.GetValueOrDefault(option);

    public bool Has(string option) => given.ContainsKey(option);

    /// <summary>A whole number within bounds.</summary>
    public int Number(string option, int otherwise, int min, int max) =>
        Value(option) is not { } text ? otherwise
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max ? number
        : throw Wrong($"{option} takes a number from {min} to {max}, not '{text}'");

    public Folders Folders => new(Value("--data") ?? Folders.DefaultData);

    public static bool AskForHelp(string[] args) => args.Length == 0 || args.Any(arg => arg is "--help" or "-h") || args[0] == "help";

    public static Arguments Parse(string[] args, Command[] commands)
    {
        // Some names are of two words.
        var command = commands.FirstOrDefault(command => command.Name.Split(' ') is var words && words.SequenceEqual(args.Take(words.Length)))
            ?? throw Wrong($"there is no command '{args[0]}'");
        var arguments = new Arguments(command);
        for (var i = command.Name.Split(' ').Length; i < args.Length; i++)
        {
            var arg = args[i];
            if (!arg.StartsWith('-'))
            {
                if (command.Operand.Length == 0 || arguments.Operand is not null)
                    throw Wrong($"{command.Name} does not take '{arg}'");
                arguments.Operand = arg;
            }
            else if (!command.Options.Contains(arg))
                throw Wrong($"{command.Name} has no option '{arg}'");
            else if (Known.Single(option => option.Name == arg).Value is null)
                arguments.given[arg] = "";
            else if (i + 1 < args.Length)
                arguments.given[arg] = args[++i];
            else
                throw Wrong($"{arg} needs a value");
        }
        return command.Operand.Length == 0 || command.Operand.StartsWith('[') || arguments.Operand is not null
            ? arguments : throw Wrong($"{command.Name} needs a {command.Operand}");
    }

    public static int PrintHelp(Command[] commands)
    {
        Console.WriteLine("usage: ./dev COMMAND [OPTIONS]\n");
        foreach (var command in commands)
            Console.WriteLine($"  {command.Name + " " + command.Operand,-20}{command.Purpose}{(command.Options.Length == 0 ? "" : $"\n{"",-22}{string.Join(' ', command.Options)}")}");
        Console.WriteLine();
        foreach (var (name, value, purpose) in Known)
            Console.WriteLine($"  {name + " " + value,-20}{purpose}");
        Console.WriteLine("\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 no such stack or process, 5 something that is needed is not available.");
        return (int)ExitCode.Ok;
    }

    static Failure Wrong(string message) => new(ExitCode.Usage, message + "; see ./dev --help");
}
