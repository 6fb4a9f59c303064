using System.Text.RegularExpressions;

namespace LlmGateway.Sessions;

/// <summary>The rules of Telegram bots.</summary>
public static partial class SeedRules
{
    /// <summary>Each launch is looked for among all of them.</summary>
    public const int MaxTelegramBots = 20;

    const int MinInitDataAge = 60, MaxInitDataAge = 7 * 24 * 60 * 60, MaxMintWindow = 24 * 60 * 60;

    [GeneratedRegex(@"^[0-9]{1,20}:[A-Za-z0-9_-]{30,128}\z")]
    private static partial Regex BotToken { get; }

    static IEnumerable<string> TelegramBots(IReadOnlyList<SeedTelegramBot>? bots, string path) =>
    [
        .. Must(bots is not { Count: > MaxTelegramBots }, path, $"may have at most {MaxTelegramBots} bots"),
        .. Each(bots, path, TelegramBot),
        .. Duplicates(bots, path, bot => bot.Id, "id"),
    ];

    /// <summary>No message repeats the token.</summary>
    public static IEnumerable<string> TelegramBot(SeedTelegramBot bot, string path) =>
    [
        .. Must(PlainId.IsMatch(bot.Id), $"{path}.id", "must be 1 to 64 letters, digits, dots, dashes or underscores"),
        .. Must(bot.Token is not null, $"{path}.token", "is required"),
        .. Must(
            bot.Token is null || BotToken.IsMatch(bot.Token),
            $"{path}.token",
            "must be a bot's token as Telegram has told it: digits, a colon, and 30 characters or more"),
        .. Must(
            bot.MaxAgeSeconds is >= MinInitDataAge and <= MaxInitDataAge,
            $"{path}.maxAgeSeconds",
            $"must be from {MinInitDataAge} to {MaxInitDataAge}"),
        .. Must(
            bot.MintWindowSeconds is >= 1 and <= MaxMintWindow,
            $"{path}.mintWindowSeconds",
            $"must be from 1 to {MaxMintWindow}"),
        .. Must(
            bot.TtlSeconds is >= MintSession.MinTtlSeconds and <= MintSession.MaxTtlSeconds,
            $"{path}.ttlSeconds",
            $"must be from {MintSession.MinTtlSeconds} to {MintSession.MaxTtlSeconds}"),
    ];
}
