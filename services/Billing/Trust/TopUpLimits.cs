using System.Globalization;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Billing;

/// <summary>How much the customers of a project may top up. Null is any number.</summary>
/// <param name="PerDay">Top-ups of a customer in 24 hours.</param>
/// <param name="PerCardAndDay">Top-ups with one card in 24 hours, whoever has it.</param>
/// <param name="FirstAmount">What a new customer may top up in 24 hours, nano-dollars.</param>
/// <param name="FirstDays">A customer is new until its first top-up is so old.</param>
/// <param name="Declines">So many declined attempts of a customer freeze its top-ups.</param>
/// <param name="DeclineMinutes">Within so many minutes.</param>
public sealed record TopUpLimits(
    int? PerDay, int? PerCardAndDay, long? FirstAmount, int FirstDays, int? Declines, int DeclineMinutes)
{
    /// <summary>Where an operator has set none and money is real.</summary>
    public static readonly TopUpLimits Usual = new(20, 10, Money.Usd(500).Nanos, 7, 5, 60);

    /// <summary>Where the sandbox plays Stripe: its few test cards are everybody's.</summary>
    public static readonly TopUpLimits None = new(null, null, null, 7, null, 60) { BegunPerHour = null };

    /// <summary>
    /// Purchases that a customer may begin in an hour, whatever becomes of them: each is a row of ours and calls of Stripe's, of which all
    /// projects together have so many a second.
    /// </summary>
    public int? BegunPerHour { get; init; } = TopUpAllowance.UsuallyBegunPerHour;

    public static TopUpLimits Of(TopUpAllowance said) => new(
        said.PerDay, said.PerCardAndDay, said.FirstAmount?.Nanos, said.FirstDays, said.Declines, said.DeclineMinutes)
    {
        BegunPerHour = said.BegunPerHour,
    };

    public const string PerDayRule = "top_ups_per_day", PerCardRule = "top_ups_per_card_and_day", FirstRule = "new_customer_amount",
        DeclinesRule = "declined_cards", BegunRule = "top_ups_begun_per_hour";

    static readonly TimeSpan Day = TimeSpan.FromHours(24), Hour = TimeSpan.FromHours(1);

    /// <summary>Also what is no top-up and has a secret on which cards can be tried.</summary>
    public Problem? RefuseFrozen(TopUpRecord record) => record.IsFrozen
        ? Problems.TopUpsFrozen(new("customer", "declined_top_ups", null, Text(Declines), null, null) { Id = DeclinesRule })
        : null;

    /// <summary>Why a page may not begin a purchase, or ask for it again; null when it may.</summary>
    public Problem? RefusePurchase(TopUpRecord record, Money amount, DateTimeOffset now) =>
        !record.IsFrozen && record.BegunThisHour >= BegunPerHour
            ? Problems.LimitReached(
                $"This customer has begun {record.BegunThisHour} top-ups in an hour.",
                new("customer", "top_ups", Text(record.BegunThisHour), Text(BegunPerHour), "1", record.FirstBegun + Hour)
                {
                    Id = BegunRule,
                },
                Seconds(record.FirstBegun + Hour, now))
            : Refuse(record, amount, now);

    /// <summary>The most that one more top-up may be by now, nano-dollars.</summary>
    public long Room(TopUpRecord record) =>
        record.IsNew && FirstAmount is { } most ? Math.Max(0, most - record.AmountToday) : long.MaxValue;

    /// <summary>Why a top-up of that amount is refused, naming the rule; null when it is not.</summary>
    /// <param name="amount">Without the fee, as all amounts here.</param>
    public Problem? Refuse(TopUpRecord record, Money amount, DateTimeOffset now)
    {
        if (RefuseFrozen(record) is { } frozen)
            return frozen;
        if (record.Today >= PerDay)
            return Reached(PerDayRule, "customer", record.Today, PerDay.Value, record.FirstToday, now);
        if (record.TodayWithCard >= PerCardAndDay)
            return Reached(PerCardRule, "card", record.TodayWithCard, PerCardAndDay.Value, record.FirstTodayWithCard, now);
        if (amount.Nanos > Room(record))
            return Problems.LimitReached(
                $"A new customer may top up {new Money(FirstAmount!.Value)} USD a day; this one has topped up "
                    + $"{new Money(record.AmountToday)} USD.",
                new(
                    "customer", "usd", new Money(record.AmountToday).ToString(), new Money(FirstAmount.Value).ToString(),
                    new Money(record.AmountToday + amount.Nanos - FirstAmount.Value).ToString(), record.FirstToday + Day)
                {
                    Id = FirstRule,
                },
                Seconds(record.FirstToday + Day, now)) with
            { Param = "amount" };
        return null;
    }

    static Problem Reached(string rule, string level, int used, int limit, DateTimeOffset? first, DateTimeOffset now) =>
        Problems.LimitReached(
            $"This {level} has reached its limit of {limit} top-ups in 24 hours.",
            new(level, "top_ups", Text(used), Text(limit), "1", first + Day) { Id = rule },
            Seconds(first + Day, now));

    /// <summary>Until the first of those that count does not any more; null when none does.</summary>
    static int? Seconds(DateTimeOffset? until, DateTimeOffset now) =>
        until is { } end ? Math.Max(1, (int)Math.Ceiling((end - now).TotalSeconds)) : null;

    static string? Text(int? number) => number?.ToString(CultureInfo.InvariantCulture);
}

/// <summary>What a customer has topped up, paid or at the bank, in 24 hours.</summary>
/// <param name="Today">Its top-ups.</param>
/// <param name="TodayWithCard">Top-ups of anybody in its project with the one of its cards that was used most.</param>
/// <param name="IsNew">None of its top-ups is old enough.</param>
/// <param name="IsFrozen">After a burst of declines, until an operator lifts it.</param>
public sealed record TopUpRecord(
    int Today, long AmountToday, DateTimeOffset? FirstToday, int TodayWithCard, DateTimeOffset? FirstTodayWithCard, bool IsNew,
    bool IsFrozen)
{
    /// <summary>Purchases, whatever has become of them.</summary>
    public int BegunThisHour { get; init; }

    public DateTimeOffset? FirstBegun { get; init; }
}
