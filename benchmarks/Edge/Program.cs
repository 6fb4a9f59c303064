using LlmGateway.Edge;

// One program in three parts, each in a process of its own: what is called, what we are compared with, and the measurement.
switch (args)
{
    case ["mock", var port]:
        await MockProvider.RunAsync(int.Parse(port));
        break;
    case ["yarp", var port, var upstream]:
        await BareYarp.RunAsync(int.Parse(port), int.Parse(upstream));
        break;
    default:
        await Comparison.RunAsync(quick: args.Contains("--quick"));
        break;
}
