using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Wallet;

/// <summary>
/// <c>POST /internal/windows</c>: opens the windows of a client session that are closed, or says which counter is full.
/// </summary>
public static class EnterWindows
{
    public static void MapEnterWindows(this WebApplication app) => app.MapPost("/internal/windows", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, Writer writer)
    {
        var request = await Body.ReadAsync<WindowsRequest>(http);
        var open = new OpenWindows(request);
        if (open.Lines.Count is 0 or > LimitLine.MaxPerCustomer)
            return Problems.Invalid("windows", $"have 1 to {LimitLine.MaxPerCustomer} lines together");
        if (open.Lines.DistinctBy(line => line.Register).Count() != open.Lines.Count
            || request.Windows.DistinctBy(demand => demand.Window).Count() != request.Windows.Count)
            return Problems.Invalid("windows", "each window and each register once");
        if (open.Lines.Any(line => line.Counter.Kind != AccountKind.Windows))
            return Problems.Invalid("windows", "only counters of windows count them");
        var answer = await writer.RunAsync(open);
        Failpoint.Hit("wallet.windows.opened");
        return Results.Json(answer switch
        {
            Answer.Opened opened => new WindowsAnswer(opened.ClosesAt, null) { Now = opened.Now },
            Answer.Refused refused =>
                new WindowsAnswer(null, new(refused.Register, refused.Reason, refused.Available) { Over = refused.Over })
                {
                    Now = refused.Now,
                },
            _ => throw new InvalidOperationException($"a request for windows was answered with {answer}"),
        }, Defaults.Json);
    }
}
