using System.Globalization;
using System.Text.RegularExpressions;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Sessions;

/// <summary>
/// The rules of a customer's limits, the same for seed files and calls. Each broken one is a path and what is wrong with what is there.
/// Pure: no database.
/// </summary>
public static partial class LimitRules
{
    /// <summary>A billion dollars, or as many tokens as nobody uses.</summary>
    public const long MaxAmount = 1_000_000_000_000_000_000;

    const int MaxKeys = 100, FirstYear = 1970, LastYear = 2199;

    static readonly Dictionary<string, Unit> Units = new(StringComparer.Ordinal)
    {
        ["tokens"] = Unit.Tokens, ["requests"] = Unit.Requests, ["usd"] = Unit.UsdLimit, ["windows"] = Unit.Windows,
    };

    static readonly string[] AnchorForms = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss"];

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    private static partial Regex LimitId { get; }

    /// <summary>Everything that can be said without the database.</summary>
    /// <param name="path">Of the list. Empty where it is all of the body.</param>
    public static IEnumerable<(string Path, string Reason)> Errors(IReadOnlyList<LimitRequest?>? limits, string path)
    {
        if (limits is null)
            return [];
        var ids = new HashSet<string>(StringComparer.Ordinal);
        return
        [
            .. Must(limits.Count <= LimitLine.MaxPerCustomer, path, $"may have at most {LimitLine.MaxPerCustomer} limits"),
            .. limits.Index().SelectMany(limit => Errors(limit.Item, $"{path}[{limit.Index}]")),
            .. limits.Index().Where(limit => limit.Item?.Id is { } id && !ids.Add(id))
                .Select(limit => ($"{path}[{limit.Index}].id", $"'{limit.Item!.Id}' is there twice")),
        ];
    }

    static IEnumerable<(string Path, string Reason)> Errors(LimitRequest? limit, string path) => limit is null
        ? [(path, "must not be null")]
        :
        [
            .. Must(limit.Id is null || LimitId.IsMatch(limit.Id), $"{path}.id",
                "must be 1 to 64 letters, digits, dots, dashes or underscores"),
            .. Must(Units.ContainsKey(limit.Unit), $"{path}.unit", $"must be one of {string.Join(", ", Units.Keys)}"),
            .. AmountError(limit.Unit, limit.Amount, out _) is { } reason ? [($"{path}.amount", reason)] : Nothing,
            .. Must(limit.Anchor is null || AnchorOf(limit.Anchor) is not null, $"{path}.anchor",
                $"must be a local date or time in the years {FirstYear} to {LastYear}, such as 2026-01-31 or 2026-01-31T06:00"),
            .. Must(limit.TimeZone is null || Cycles.IsZone(limit.TimeZone), $"{path}.timeZone",
                $"names '{limit.TimeZone}', which is no IANA time zone"),
            .. Errors(limit.Selector, $"{path}.selector"),
        ];

    static IEnumerable<(string Path, string Reason)> Errors(LimitSelector? selector, string path) =>
    [
        .. Must(selector?.Models is not { Count: 0 or > Fields.MaxModels }, $"{path}.models",
            $"must have from 1 to {Fields.MaxModels} models"),
        .. Texts(selector?.Models, $"{path}.models"),
        .. Must(selector?.Keys is not { Count: 0 or > MaxKeys }, $"{path}.keys", $"must have from 1 to {MaxKeys} keys"),
        .. Texts(selector?.Keys, $"{path}.keys"),
        .. Must(selector?.Members is null, $"{path}.members", "is not supported yet"),
        .. Must(selector?.Tags is null, $"{path}.tags", "is not supported yet"),
    ];

    /// <summary>What is wrong with an amount in this unit, or null.</summary>
    public static string? AmountError(string unit, DecimalAmount written, out long amount)
    {
        var decimals = unit == "usd" ? Money.Decimals : 0;
        if (!DecimalText.TryParse(written.Text, decimals, out amount, out var reason))
            return decimals == 0 && reason.Contains("decimals", StringComparison.Ordinal) ? "must be a whole number" : reason;
        return amount switch
        {
            <= 0 => "must be above 0. Leave the limit out to remove it, or block the customer",
            > MaxAmount => "is too large",
            _ => null,
        };
    }

    /// <summary>The amount as it is written, without losing a digit to binary numbers.</summary>
    public static string AmountText(string unit, long amount) => DecimalText.Format(amount, unit == "usd" ? Money.Decimals : 0);

    public static Unit UnitOf(CustomerLimit limit) => Units[limit.Unit];

    public static CycleRule CycleOf(CustomerLimit limit)
    {
        var length = CycleLength.Parse(limit.Cycle);
        return new(length.Unit, length.Count, limit.Anchor ?? Cycles.DefaultAnchor, limit.TimeZone);
    }

    public static Selector? SelectorOf(CustomerLimit limit) =>
        limit.Models is null && limit.Keys is null ? null : new(limit.Models, limit.Keys);

    /// <summary>The counter's identity. Two limits that count the same would count every request twice.</summary>
    public static Guid IdentityOf(CustomerLimit limit) => Counters.Identity(
        limit.CustomerId, UnitOf(limit), null, Cycles.TextOf(CycleOf(limit)), SelectorOf(limit));

    /// <summary>The rows of valid limits. One without an id takes that of the known one that counts the same.</summary>
    /// <param name="keys">The customer's keys by what the selectors call them.</param>
    public static IReadOnlyList<CustomerLimit> Rows(
        Guid customer,
        IReadOnlyList<LimitRequest> limits,
        IReadOnlyCollection<CustomerLimit> known,
        IReadOnlyDictionary<string, Guid> keys)
    {
        var names = known.Where(limit => limits.All(wanted => wanted.Id != limit.Id)).ToDictionary(IdentityOf, limit => limit.Id);
        return [.. limits.Select((limit, i) =>
        {
            var row = Row(customer, limit.Id ?? "", i, limit, keys);
            return limit.Id is null
                ? Row(customer, names.GetValueOrDefault(IdentityOf(row)) ?? Ids.Show("lim", IdentityOf(row)), i, limit, keys)
                : row;
        })];
    }

    static CustomerLimit Row(Guid customer, string id, int position, LimitRequest limit, IReadOnlyDictionary<string, Guid> keys)
    {
        AmountError(limit.Unit, limit.Amount, out var amount);
        return new()
        {
            CustomerId = customer,
            Id = id,
            Position = position,
            Unit = limit.Unit,
            Amount = amount,
            Cycle = limit.Cycle.Text,
            Anchor = AnchorOf(limit.Anchor),
            TimeZone = limit.TimeZone ?? "UTC",
            Models = limit.Selector?.Models?.Distinct().Order(StringComparer.Ordinal).ToList(),
            Keys = limit.Selector?.Keys?.Select(key => keys[key]).Distinct().Order().ToList(),
        };
    }

    /// <summary>What is wrong with rows together, or null: two that count the same, or have one id.</summary>
    public static (string Path, string Reason)? Clash(IReadOnlyList<CustomerLimit> rows, string path)
    {
        foreach (var (i, row) in rows.Index())
            for (var other = 0; other < i; other++)
                if (IdentityOf(rows[other]) == IdentityOf(row))
                    return ($"{path}[{i}]", $"counts the same as [{other}]");
                else if (rows[other].Id == row.Id)
                    return ($"{path}[{i}].id", $"'{row.Id}' is that of [{other}]");
        return null;
    }

    static DateTime? AnchorOf(string? text) =>
        DateTime.TryParseExact(text, AnchorForms, CultureInfo.InvariantCulture, DateTimeStyles.None, out var anchor)
            && anchor.Year is >= FirstYear and <= LastYear
            ? anchor
            : null;

    static IEnumerable<(string Path, string Reason)> Texts(IReadOnlyList<string>? texts, string path) =>
        (texts ?? []).Index().SelectMany(text =>
            Fields.TextError(text.Item) is { } reason ? [($"{path}[{text.Index}]", reason)] : Nothing);

    static readonly (string Path, string Reason)[] Nothing = [];

    static (string Path, string Reason)[] Must(bool holds, string path, string reason) => holds ? [] : [(path, reason)];
}
