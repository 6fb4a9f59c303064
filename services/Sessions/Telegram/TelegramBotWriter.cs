using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace LlmGateway.Sessions;

/// <summary>
/// A project's Telegram bots, for seed files and calls alike. <see cref="SeedRules"/> has been asked before; who calls this commits.
/// </summary>
public sealed class TelegramBotWriter
{
    readonly SessionsDb _db;
    readonly Envelope _envelope;
    readonly Guid _project;
    readonly Dictionary<string, TelegramBot> _known;

    TelegramBotWriter(SessionsDb db, Envelope envelope, Guid project, Dictionary<string, TelegramBot> known) =>
        (_db, _envelope, _project, _known) = (db, envelope, project, known);

    public static async Task<TelegramBotWriter> ReadAsync(SessionsDb db, Envelope envelope, Guid project, CancellationToken token) => new(
        db, envelope, project, await db.TelegramBots.Where(bot => bot.ProjectId == project).ToDictionaryAsync(bot => bot.Id, token));

    public IReadOnlyDictionary<string, TelegramBot> All => _known;

    /// <summary>The owner that a bot's token is sealed for. It opens in no other project and for no other bot.</summary>
    public static string SecretOwner(Guid project, string id) => $"telegram-bot:{project:N}:{id}";

    /// <summary>Null where it opens with none of our keys.</summary>
    public static string? TokenOf(TelegramBot bot, Envelope envelope) =>
        envelope.TryOpen(bot.SealedToken, SecretOwner(bot.ProjectId, bot.Id));

    public TelegramBot Write(SeedTelegramBot seed)
    {
        if (!_known.TryGetValue(seed.Id, out var bot))
            _db.Add(_known[seed.Id] = bot = new()
            {
                ProjectId = _project, Id = seed.Id, SealedToken = "", MaxAgeSeconds = 0, MintWindowSeconds = 0, TtlSeconds = 0,
            });
        bot.MaxAgeSeconds = seed.MaxAgeSeconds;
        bot.MintWindowSeconds = seed.MintWindowSeconds;
        bot.TtlSeconds = seed.TtlSeconds;
        // One that was sealed by another master key counts as different, because it cannot be opened any more.
        if (TokenOf(bot, _envelope) != seed.Token)
            bot.SealedToken = _envelope.Seal(seed.Token!, SecretOwner(_project, seed.Id));
        return bot;
    }

    /// <summary>The same with the token that is stored where it has none.</summary>
    public SeedTelegramBot WithStoredToken(SeedTelegramBot seed) =>
        seed.Token is null && _known.TryGetValue(seed.Id, out var stored) ? seed with { Token = TokenOf(stored, _envelope) } : seed;

    /// <summary>What would be written to make the bot as it is, without its token.</summary>
    public static SeedTelegramBot Describe(TelegramBot bot) => new(bot.Id)
    {
        MaxAgeSeconds = bot.MaxAgeSeconds, MintWindowSeconds = bot.MintWindowSeconds, TtlSeconds = bot.TtlSeconds,
    };
}
