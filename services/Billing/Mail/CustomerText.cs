using System.Globalization;
using LlmGateway.Contracts;

namespace LlmGateway.Billing;

/// <summary>
/// What the owner of a card reads when nothing more happens by itself. Nothing in it opens a wallet or pays anything: whoever reads the
/// mail of somebody else can do no more than before.
/// </summary>
public static class CustomerText
{
    const string Where = "the page or the program in which you use your credit";

    /// <summary>Of one payment there is one, however often it is looked at.</summary>
    /// <param name="until">When the payment is over if nobody has confirmed it.</param>
    public static CustomerMail ToConfirm(Payment payment, DateTimeOffset until) =>
        Of(payment, "authentication", $"Please confirm your payment of {Total(payment)}", $"""
            {Began(payment)} Your bank wants you to confirm this payment.

            What to do: open {Where}, and confirm the payment there, by {At(until)}.
            Until you do, nothing is paid and nothing else is charged by itself.
            """);

    /// <summary>Of one payment there is one, as it is the last attempt.</summary>
    public static CustomerMail Paused(Payment payment) =>
        Of(payment, "paused", "Your card was declined; nothing is charged by itself any more", $"""
            {Began(payment)} The card was declined{Reason(payment)}. Nothing was paid.

            What to do: open {Where}, and save another card there.
            Until you do, nothing is charged by itself.
            """);

    /// <summary>Of one payment there is one, as it is over.</summary>
    public static CustomerMail NotConfirmed(Payment payment) =>
        Of(payment, "paused", "Your payment was not confirmed; nothing more is charged by itself", $"""
            {Began(payment)} Your bank wanted you to confirm this payment, which was not done in time. Nothing was paid.

            What to do: open {Where}, and turn on there what is charged by itself, or save another card.
            Until you do, nothing is charged by itself.
            """);

    /// <summary>Of one wallet there is one in a month.</summary>
    /// <param name="charged">In this month.</param>
    /// <param name="next">When the next one begins.</param>
    public static CustomerMail AtCeiling(AutoTopUp row, long charged, DateTimeOffset next) => new(
        Ids.Derive(row.Wallet, $"mail: ceiling before {At(next)}"), row.Customer,
        Subject(row.Test, "Your monthly limit is reached; nothing more is charged by itself this month"),
        Body(row.Test, $"""
            Your balance is low. In this month {new Money(charged)} USD of credit were bought with your saved card by themselves, and your
            limit is {new Money(row.Ceiling)} USD a month, so nothing more is charged by itself before {At(next)}.

            What to do: if you need credit before that, open {Where}, and buy some there, or set a higher limit.
            """));

    /// <summary>Whose mail it is, as the last line: customers know the project, and not who sends its mail.</summary>
    public static string WithSender(string body, string project) => $"{body}\n\n{AlertText.Line(project)}\n";

    static string Began(Payment payment) =>
        $"Your balance was low, so {new Money(payment.Amount)} USD of credit were to be bought with your saved card, for {Total(payment)}.";

    static CustomerMail Of(Payment payment, string about, string subject, string body) => new(
        Ids.Derive(payment.Id, $"mail: {about}"), payment.Customer, Subject(payment.Test, subject), Body(payment.Test, body));

    static string Subject(bool test, string subject) => test ? $"[test] {subject}" : subject;

    static string Body(bool test, string body) => test ? $"Of the test world: no money is moved.\n\n{body}" : body;

    static string Total(Payment payment) => $"{new Money(payment.Parts.Sum)} USD";

    static string At(DateTimeOffset moment) =>
        moment.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) + " UTC";

    /// <summary>In the bank's words, if there are any.</summary>
    static string Reason(Payment payment) => payment.FailureMessage is { } said ? $": {AlertText.Line(said).TrimEnd('.')}" : "";
}
