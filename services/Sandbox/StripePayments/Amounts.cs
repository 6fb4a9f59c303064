using System.Globalization;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>Amounts in the smallest unit of a currency, and how Stripe's messages write them.</summary>
static class Amounts
{
    const long Most = 99_999_999, Least = 50;

    static readonly HashSet<string> Currencies =
    [
        "usd", "eur", "gbp", "chf", "cad", "aud", "nzd", "sek", "nok", "dkk", "pln", "czk", "jpy", "brl", "mxn", "inr", "sgd", "hkd",
    ];

    public static void CheckCurrency(string currency)
    {
        if (!Currencies.Contains(currency.ToLowerInvariant()))
        {
            throw Refusal.Invalid($"Invalid currency: {currency}. Stripe currently supports these currencies: "
                + string.Join(", ", Currencies.Order()), "currency");
        }
    }

    public static void Check(long amount, string currency)
    {
        CheckCurrency(currency);
        CheckPositive(amount);
        if (amount < Least)
        {
            throw Refusal.Invalid(
                $"Amount must be at least {Text(Least, currency)} {currency.ToLowerInvariant()}", "amount", "amount_too_small");
        }
        if (amount > Most)
        {
            throw Refusal.Invalid($"Amount must be no more than {Text(Most, currency)}", "amount", "amount_too_large");
        }
    }

    public static void CheckPositive(long amount, string param = "amount")
    {
        if (amount < 1)
        {
            throw Refusal.Invalid(
                "This value must be greater than or equal to 1.", param, amount < 0 ? "parameter_invalid_integer" : "amount_too_small");
        }
    }

    public static string Text(long amount, string currency)
    {
        var sign = currency.ToLowerInvariant() switch { "usd" => "$", "eur" => "€", "gbp" => "£", _ => "" };
        return sign + (amount / 100m).ToString("N2", CultureInfo.InvariantCulture);
    }
}
