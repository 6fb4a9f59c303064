namespace LlmGateway.Sandbox.Stripe;

/// <summary>When the cardholder has to authenticate.</summary>
enum Authentication
{
    Never,

    /// <summary>Unless the card was set up, or saved with a payment that was authenticated.</summary>
    UntilSetUp,

    Always,
}

/// <summary>What a successful payment leads to, a second later.</summary>
enum Afterwards
{
    Nothing,
    Dispute,
    DisputeNotReceived,
    Inquiry,
    RefundFails,
    RefundPends,
}

/// <summary>One of Stripe's documented test cards, or a bank account.</summary>
/// <param name="Names">Payment methods that exist without being made: <c>pm_card_…</c>.</param>
sealed record TestCard(string Number, string Names, string Brand = "visa")
{
    public string Country { get; init; } = "US";

    public string Funding { get; init; } = "credit";

    /// <summary>Why charges fail: the code, or the decline code of a <c>card_declined</c>.</summary>
    public string? Decline { get; init; }

    /// <summary>It can be attached and set up, and fails when it is charged.</summary>
    public bool FailsLate { get; init; }

    public Authentication Authentication { get; init; }

    public Afterwards Afterwards { get; init; }

    /// <summary>What it pays is available at once.</summary>
    public bool BypassesPending { get; init; }

    public bool IsBlocked { get; init; }

    public string Last4 => Number[^4..];
}

static class TestCards
{
    public static readonly IReadOnlyList<TestCard> All =
    [
        new("4242424242424242", "visa"),
        new("4000056655665556", "visa_debit") { Funding = "debit" },
        new("5555555555554444", "mastercard", "mastercard"),
        new("2223003122003222", "mastercard_2series", "mastercard"),
        new("5200828282828210", "mastercard_debit", "mastercard") { Funding = "debit" },
        new("5105105105105100", "mastercard_prepaid", "mastercard") { Funding = "prepaid" },
        new("378282246310005", "amex", "amex"),
        new("6011111111111117", "discover", "discover"),
        new("3056930009020004", "diners", "diners"),
        new("3566002020360505", "jcb", "jcb") { Country = "JP" },
        new("6200000000000005", "unionpay", "unionpay") { Country = "CN" },

        new("4000000760000002", "br") { Country = "BR" },
        new("4000001240000000", "ca") { Country = "CA" },
        new("4000004840008001", "mx") { Country = "MX" },
        new("4000000400000008", "at") { Country = "AT" },
        new("4000000560000004", "be") { Country = "BE" },
        new("4000002080000001", "dk") { Country = "DK" },
        new("4000002500000003", "fr") { Country = "FR" },
        new("4000002760000016", "de") { Country = "DE" },
        new("4000003800000008", "it") { Country = "IT" },
        new("4000005280000002", "nl") { Country = "NL" },
        new("4000007240000007", "es") { Country = "ES" },
        new("4000007560000009", "ch") { Country = "CH" },
        new("4000008260000000", "gb") { Country = "GB" },
        new("4000000360000006", "au") { Country = "AU" },
        new("4000003560000008", "in") { Country = "IN" },
        new("4000003920000003", "jp") { Country = "JP" },

        new("4000000000000002", "chargeDeclined visa_chargeDeclined") { Decline = "generic_decline" },
        new("4000000000009995", "chargeDeclinedInsufficientFunds visa_chargeDeclinedInsufficientFunds") { Decline = "insufficient_funds" },
        new("4000000000009987", "visa_chargeDeclinedLostCard") { Decline = "lost_card" },
        new("4000000000009979", "visa_chargeDeclinedStolenCard") { Decline = "stolen_card" },
        new("4000000000000069", "chargeDeclinedExpiredCard") { Decline = "expired_card" },
        new("4000000000000127", "chargeDeclinedIncorrectCvc") { Decline = "incorrect_cvc" },
        new("4000000000000119", "chargeDeclinedProcessingError") { Decline = "processing_error" },
        new("4000000000006975", "visa_chargeDeclinedVelocityLimitExceeded") { Decline = "card_velocity_exceeded" },
        new("4000000000000341", "chargeCustomerFail") { Decline = "generic_decline", FailsLate = true },
        new("4100000000000019", "radarBlock") { Decline = "fraudulent", IsBlocked = true },

        new("4000002500003155", "authenticationRequiredOnSetup") { Authentication = Authentication.UntilSetUp },
        new("4000002760003184", "authenticationRequired") { Authentication = Authentication.Always },
        new("4000000000003220", "threeDSecure2Required") { Authentication = Authentication.Always },
        new("4000008260003178", "authenticationRequiredChargeDeclinedInsufficientFunds")
        {
            Authentication = Authentication.UntilSetUp, Decline = "insufficient_funds", FailsLate = true,
        },
        new("4000008400001629", "threeDSecureRequiredChargeDeclined")
        {
            Authentication = Authentication.Always, Decline = "generic_decline",
        },

        new("4000000000000259", "createDispute") { Afterwards = Afterwards.Dispute },
        new("4000000000002685", "createDisputeProductNotReceived") { Afterwards = Afterwards.DisputeNotReceived },
        new("4000000000001976", "createDisputeInquiry") { Afterwards = Afterwards.Inquiry },
        new("4000000000007726", "pendingRefund") { Afterwards = Afterwards.RefundPends },
        new("4000000000005126", "refundFail") { Afterwards = Afterwards.RefundFails },
        new("4000000000000077", "bypassPending") { BypassesPending = true },
        new("4000003720000278", "bypassPendingInternational") { BypassesPending = true, Country = "IE" },

        // Bank accounts: payments with them are being processed for a while.
        new("000123456789", "usBankAccount_success", "bank"),
        new("000222222227", "usBankAccount_insufficientFunds", "bank") { Decline = "insufficient_funds" },
        new("000111111113", "usBankAccount_accountClosed", "bank") { Decline = "account_closed" },
    ];

    static readonly Dictionary<string, TestCard> ByNumber = All.ToDictionary(card => card.Number);

    static readonly Dictionary<string, TestCard> ByName = All
        .SelectMany(card => card.Names.Split(' ').Select(name => (Name: card.Brand == "bank" ? $"pm_{name}" : $"pm_card_{name}", card)))
        .ToDictionary(each => each.Name, each => each.card);

    public static TestCard? OfNumber(string number) => ByNumber.GetValueOrDefault(number);

    public static TestCard? OfName(string? name) => name is null ? null : ByName.GetValueOrDefault(name.Replace("tok_", "pm_card_"));

    /// <summary>What a bank says, and Stripe's words for it.</summary>
    public static Refusal Declined(TestCard card) => card.Decline switch
    {
        "expired_card" => Refusal.Card("Your card has expired.", "expired_card", "expired_card"),
        "incorrect_cvc" => Refusal.Card("Your card's security code is incorrect.", "incorrect_cvc", "incorrect_cvc"),
        "processing_error" => Refusal.Card(
            "An error occurred while processing your card. Try again in a little bit.", "processing_error", "processing_error"),
        "insufficient_funds" => Refusal.Card("Your card has insufficient funds.", "card_declined", "insufficient_funds"),
        "account_closed" => Refusal.Card("The bank account has been closed.", "bank_account_unusable", null),
        "card_velocity_exceeded" => Refusal.Card(
            "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
            "card_declined",
            "card_velocity_exceeded"),
        { } other => Refusal.Card("Your card was declined.", "card_declined", other),
        null => throw new InvalidOperationException($"Nothing is wrong with the card {card.Number}."),
    };
}
