using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// <c>POST /v1/sessions/telegram</c> <c>{initData, publishableKey?}</c> → 201 as <c>POST /v1/sessions</c>: a Mini App without a backend
/// gets a session for who has opened it, the customer <c>telegram:{id}</c>. The data is the credential, so the call needs no other one;
/// then <c>publishableKey</c> says the project. The same data makes one session in each window of its bot, and what the app goes on with is
/// that session, which is refreshed as every other one.
/// </summary>
public static class MintTelegramSession
{
    /// <param name="InitData">The text that Telegram has given to the app, as it is.</param>
    /// <param name="PublishableKey">Required without a secret key.</param>
    public sealed record Request(string InitData, string? PublishableKey = null);

    public static void MapMintTelegramSession(this WebApplication app) => app.MapPost("/v1/sessions/telegram", HandleAsync);

    static async Task<IResult> HandleAsync(
        HttpContext http, SessionsDb db, Envelope envelope, SessionMint sessions, TimeProvider time, CancellationToken token)
    {
        var caller = http.Features.Get<ServiceCall>()?.Principal is null ? null : http.Backend();
        var request = await Body.ReadAsync<Request>(http);
        var data = InitData.Read(request.InitData);
        var project = await ProjectAsync(db, caller, request.PublishableKey, token);
        // The edge knows a page's project by its credential, and here there is none.
        if (http.Request.Headers.Origin.ToString() is { Length: > 0 } origin
            && project.AllowedOrigins?.Contains(origin, StringComparer.Ordinal) == false)
            return Problems.ForbiddenOrigin;

        var now = time.GetUtcNow();
        if (BotOf(data, await ListTelegramBots.Of(db, project.Id).ToListAsync(token), envelope) is not { } bot)
            return InitData.NotOfBot;
        if (data.Refusal(now, bot.MaxAgeSeconds) is { } refusal)
            return refusal;
        var (user, name) = data.User();
        var test = caller?.Test ?? project.Test;
        var externalId = $"telegram:{user}";
        // A name that somebody has given to the customer stays.
        if (await CustomerCreation.FindAsync(db, project.Id, test, externalId, token) is { Name: not null })
            name = null;
        db.Author ??= new(Author.Telegram, http.RequestId(), now) { Project = project.Id };
        return await sessions.MintAsync(
            project, test, new(externalId, null, name, null, null, bot.TtlSeconds),
            at => ClaimAsync(db, project.Id, data.Hash, at, at.AddSeconds(-bot.MintWindowSeconds), token), token);
    }

    static async Task<Project> ProjectAsync(SessionsDb db, Principal? caller, string? publishableKey, CancellationToken token)
    {
        var projects = db.Projects.AsNoTracking();
        if (caller is null && publishableKey is null)
            throw new ProblemException(Problems.Missing("publishableKey"));
        var project = caller is null
            ? await projects.SingleOrDefaultAsync(one => one.PublishableKey == publishableKey, token)
            : await projects.SingleAsync(one => one.Id == caller.Project, token);
        return project is not null && (publishableKey ?? project.PublishableKey) == project.PublishableKey
            ? project
            : throw new ProblemException(Problems.BadCredential with
            {
                Message = "'publishableKey' is not that of a project, or not that of the secret key's.", Param = "publishableKey",
            });
    }

    /// <summary>The bot that the data was signed for. All are tried, so that the time does not tell which it is.</summary>
    static TelegramBot? BotOf(InitData data, IEnumerable<TelegramBot> bots, Envelope envelope)
    {
        TelegramBot? found = null;
        foreach (var bot in bots)
            if (TelegramBotWriter.TokenOf(bot, envelope) is { } secret && data.IsSignedFor(secret))
                found ??= bot;
        return found;
    }

    /// <summary>
    /// Takes the data for this session, in the transaction that saves it. Of several calls at once the others wait, and find it taken.
    /// </summary>
    static async Task<Problem?> ClaimAsync(
        SessionsDb db, Guid project, byte[] hash, DateTimeOffset now, DateTimeOffset ended, CancellationToken token) =>
        await db.Database.ExecuteSqlAsync(
            $"""
            insert into telegram_mint (project_id, hash, minted_at) values ({project}, {hash}, {now})
            on conflict (project_id, hash) do update set minted_at = excluded.minted_at where telegram_mint.minted_at <= {ended}
            """, token) == 1
                ? null
                : InitData.Replayed;
}
