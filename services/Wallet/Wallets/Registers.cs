using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Wallet;

/// <summary><c>POST /internal/registers</c>: opens registers that are missing, each with its first amount.</summary>
public static class Registers
{
    const int MaxAtOnce = 200;

    public static void MapRegisters(this WebApplication app) => app.MapPost("/internal/registers", HandleAsync);

    static async Task<IResult> HandleAsync(HttpContext http, Writer writer)
    {
        var request = await Body.ReadAsync<OpenRegisters>(http);
        if (request.Registers.Count > MaxAtOnce)
            return Problems.Invalid("registers", $"at most {MaxAtOnce} registers at once");
        if (request.Registers.Any(register => register.Initial < 0 || register.Kind >= AccountKind.Grant))
            return Problems.Invalid("registers", "a register is a customer's, and its first amount is 0 or more");
        if (request.Registers.Any(register => (register.Kind, register.Unit, register.Denomination) is
            (AccountKind.Credits, _, null) or (AccountKind.Credits, not Unit.Credits, _) or (not AccountKind.Credits, _, not null)))
            return Problems.Invalid("registers", "call credits have a type, and nothing else has");
        await writer.RunAsync([.. request.Registers.Select(register => new Open(register))]);
        Failpoint.Hit("wallet.register.opened");
        return Results.Json(new { }, Defaults.Json);
    }
}
