using LlmGateway.Edge;

// One program in several parts, each in a process of its own: what is called, what we are compared with, one of the loads, and the
// measurements, which start the stack that they need: [soak|counts|claims] [--quick] [--peers FOLDER], the folder of peers/package.json.
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
    default:
        return await MeasureAsync();
}
return 0;

async Task<int> MeasureAsync()
{
    var quick = args.Contains("--quick");
    var peers = args.SkipWhile(argument => argument != "--peers").ElementAtOrDefault(1);
    await using var gateway = await Gateway.StartAsync();
    await (args switch
    {
        ["soak", ..] => Soak.RunAsync(gateway, minutes: quick ? 2 : 10),
        ["claims", ..] => Claims.RunAsync(gateway, quick),
        ["counts", ..] => Comparison.CountAsync(gateway, quick),
        _ => Comparison.RunAsync(gateway, peers, quick),
    });
    return await gateway.VerifyAsync() ? 0 : 1;
}
