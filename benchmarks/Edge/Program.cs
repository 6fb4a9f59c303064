using LlmGateway.Edge;

// One program in several parts, each in a process of its own: what is called, what we are compared with, one of the loads, and the
// measurements.
switch (args)
{
    case ["mock", var port]:
        MockProvider.Run(int.Parse(port));
        break;
    case ["yarp", var port, var upstream]:
        await BareYarp.RunAsync(int.Parse(port), int.Parse(upstream));
        break;
    case ["ungoverned", var port, var upstream]:
        await Ungoverned.RunAsync(int.Parse(port), int.Parse(upstream));
        break;
    case ["paced", var port, var connections, var seconds]:
        var (body, key) = (Environment.GetEnvironmentVariable("BODY")!, Environment.GetEnvironmentVariable("KEY")!);
        PacedLoad.Run(int.Parse(port), int.Parse(connections), int.Parse(seconds), body, key);
        break;
    case ["soak", ..]:
        await Soak.RunAsync(Gateway.Given(), minutes: args.Contains("--quick") ? 2 : 10);
        break;
    default:
        await Comparison.RunAsync(Gateway.Given(), quick: args.Contains("--quick"));
        break;
}
