using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>GET /v1/telegram-bots</c> → <c>{telegramBots}</c> and <c>GET /v1/telegram-bots/{id}</c>: as a seed file has them, without their
/// tokens, which nobody is shown again.
/// </summary>
public static class ListTelegramBots
{
    public static void MapListTelegramBots(this WebApplication app)
    {
        app.MapGet("/v1/telegram-bots", async (HttpContext http, SessionsDb db, CancellationToken token) => Results.Json(
            new { telegramBots = (await Of(db, http.Backend().Project).ToListAsync(token)).Select(TelegramBotWriter.Describe) },
            SeedPart.Shown)).WithQuery();
        app.MapGet("/v1/telegram-bots/{id}", async (string id, HttpContext http, SessionsDb db, CancellationToken token) =>
            await Of(db, http.Backend().Project).SingleOrDefaultAsync(bot => bot.Id == id, token) is { } found
                ? Results.Json(TelegramBotWriter.Describe(found), SeedPart.Shown)
                : NotFound).WithQuery();
    }

    public static Problem NotFound => Problems.NotFound("Telegram bot");

    public static IQueryable<TelegramBot> Of(SessionsDb db, Guid project) =>
        db.TelegramBots.AsNoTracking().Where(bot => bot.ProjectId == project).OrderBy(bot => bot.Id);
}
