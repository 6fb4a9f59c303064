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
    public static readonly TopUpLimits None = new(null, null, null, 7, null, 60);

    public const string PerDayRule = "top_ups_per_day", PerCardRule = "top_ups_per_card_and_day", FirstRule = "new_customer_amount",
        DeclinesRule = "declined_cards";

    static readonly TimeSpan Day = TimeSpan.FromHours(24);

    /// <summary>Why a top-up of that amount is refused, naming the rule; null when it is not.</summary>
    /// <param name="amount">Without the fee, as all amounts here.</param>
    public Problem? Refuse(TopUpRecord record, Money amount, DateTimeOffset now)
    {
        if (record.IsFrozen)
            return Problems.TopUpsFrozen(new("customer", "declined_top_ups", null, Text(Declines), null, null) { Id = DeclinesRule });
        if (record.Today >= PerDay)
            return Reached(PerDayRule, "customer", record.Today, PerDay.Value, record.FirstToday, now);
        if (record.TodayWithCard >= PerCardAndDay)
            return Reached(PerCardRule, "card", record.TodayWithCard, PerCardAndDay.Value, record.FirstTodayWithCard, now);
        if (record.IsNew && record.AmountToday + amount.Nanos > FirstAmount)
            return Problems.LimitReached(
                $"A new customer may top up {new Money(FirstAmount.Value)} USD a day; this one has topped up "
                    + $"{new Money(record.AmountToday)} USD.",
                new(
                    "customer", "usd", new Money(record.AmountToday).ToString(), new Money(FirstAmount.Value).ToString(),
                    new Money(record.AmountToday + amount.Nanos - FirstAmount.Value).ToString(), record.FirstToday + Day)
                {
                    Id = FirstRule,
                },
                Seconds(record.FirstToday, now)) with
            { Param = "amount" };
        return null;
    }

    static Problem Reached(string rule, string level, int used, int limit, DateTimeOffset? first, DateTimeOffset now) =>
        Problems.LimitReached(
            $"This {level} has reached its limit of {limit} top-ups in 24 hours.",
            new(level, "top_ups", Text(used), Text(limit), "1", first + Day) { Id = rule },
            Seconds(first, now));

    /// <summary>Until the first of those that count does not any more; null when none does.</summary>
    static int? Seconds(DateTimeOffset? first, DateTimeOffset now) =>
        first is { } since ? Math.Max(1, (int)Math.Ceiling((since + Day - now).TotalSeconds)) : null;

    static string? Text(int? number) => number?.ToString(CultureInfo.InvariantCulture);
}

/// <summary>What a customer has topped up, paid or at the bank, in 24 hours.</summary>
/// <param name="Today">Its top-ups.</param>
/// <param name="TodayWithCard">Top-ups of anybody in its project with the one of its cards that was used most.</param>
/// <param name="IsNew">None of its top-ups is old enough.</param>
/// <param name="IsFrozen">After a burst of declines, until an operator lifts it.</param>
public sealed record TopUpRecord(
    int Today, long AmountToday, DateTimeOffset? FirstToday, int TodayWithCard, DateTimeOffset? FirstTodayWithCard, bool IsNew,
    bool IsFrozen);
