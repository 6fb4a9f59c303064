using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary><c>DELETE /v1/telegram-bots/{id}</c> → 204. Sessions that its app has made stay, until they end or are revoked.</summary>
public static class DeleteTelegramBot
{
    public static void MapDeleteTelegramBot(this WebApplication app) => app.MapDelete("/v1/telegram-bots/{id}", HandleAsync);

    static async Task<IResult> HandleAsync(string id, HttpContext http, SessionsDb db, CancellationToken token)
    {
        var caller = http.Backend();
        await using var transaction = await db.Database.BeginTransactionAsync(token);
        await SeedPart.LockAsync(db, caller, token);
        if (await db.TelegramBots.SingleOrDefaultAsync(one => one.ProjectId == caller.Project && one.Id == id, token) is not { } bot)
            return ListTelegramBots.NotFound;
        db.Remove(bot);
        await db.SaveChangesAsync(token);
        await transaction.CommitAsync(CancellationToken.None);
        return Results.NoContent();
    }
}
