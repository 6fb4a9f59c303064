using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>PUT /v1/telegram-bots/{id}</c> with a bot as a seed file has it. A token that is absent stays as it is. What is changed holds for the
/// next launch.
/// </summary>
public static class PutTelegramBot
{
    public static void MapPutTelegramBot(this WebApplication app) => app.MapPut("/v1/telegram-bots/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, Envelope envelope, CancellationToken token)
    {
        var caller = http.Backend();
        var seed = await SeedPart.ReadAsync<SeedTelegramBot>(http);
        SeedPart.MustBeNamed(seed.Id, id);
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        await DailyChanges.MustBeFewAsync(db, caller.Project, "telegram_bot.", token);
        var bots = await TelegramBotWriter.ReadAsync(db, envelope, caller.Project, token);
        seed = bots.WithStoredToken(seed with { Id = id });
        SeedPart.MustBeRight(SeedRules.TelegramBot(seed, ""));
        if (!bots.All.ContainsKey(id) && bots.All.Count >= SeedRules.MaxTelegramBots)
            return Problems.Conflict(
                "too_many_telegram_bots", $"A project may have {SeedRules.MaxTelegramBots} Telegram bots. Delete one first.");
        var bot = bots.Write(seed);
        await db.SaveChangesAsync(token);
        await transaction.CommitAsync(CancellationToken.None);
        return Results.Json(TelegramBotWriter.Describe(bot), SeedPart.Shown);
    }
}
