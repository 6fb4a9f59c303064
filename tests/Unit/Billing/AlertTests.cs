using LlmGateway.Billing;
using LlmGateway.Contracts;
using Xunit;

namespace LlmGateway.UnitTests.Billing;

/// <summary>Events as mail.</summary>
public sealed class AlertTests
{
    static readonly PublicEvent Low = new(
        Guid.Parse("019aa6f0-0000-7000-8000-000000000001"), EventTypes.WalletLowBalance, new(2026, 11, 27, 12, 0, 0, TimeSpan.Zero),
        Guid.NewGuid(), 7, Guid.NewGuid(), Guid.NewGuid(), false,
        """{"customerId":"cus_1","walletId":"wal_1","balance":"0.9","threshold":"1","note":"two\r\nlines"}""");

    [Fact]
    public void A_mail_says_what_has_happened_to_whom_and_which_event_it_was()
    {
        var mail = AlertText.Of(Low, "ops@example.com");

        Assert.Equal((Low.Id, "ops@example.com", "A wallet is below its low mark: cus_1"), (mail.Id, mail.To, mail.Subject));
        Assert.All(
            [
                "customerId: cus_1\n", "walletId: wal_1\n", "balance: 0.9\n", "threshold: 1\n", "note: two  lines\n",
                "wallet.low_balance evt_019aa6f0000070008000000000000001, 2026-11-27 12:00:00 UTC\n",
            ],
            said => Assert.Contains(said, mail.Body));
        Assert.StartsWith("[test] ", AlertText.Of(Low with { Test = true }, "ops@example.com").Subject);
    }

    [Fact]
    public void An_endpoint_that_is_disabled_is_mailed_by_its_id_unless_somebody_has_named_other_events()
    {
        var told = Low with
        {
            Type = EventTypes.WebhookEndpointDisabled,
            Data = """{"endpointId":"we_1","url":"https://a.example/secret","host":"a.example","reason":"gone","failures":1}""",
        };

        var mail = AlertText.Of(told, "ops@example.com");

        Assert.EndsWith(": we_1", mail.Subject);
        Assert.Contains("host: a.example\n", mail.Body);
        Assert.Contains("reason: gone\n", mail.Body);
        Assert.DoesNotContain("secret", mail.Body, StringComparison.Ordinal);
        Assert.Contains(EventTypes.WebhookEndpointDisabled, AlertText.Usual);
    }

    [Fact]
    public void What_is_for_programs_alone_is_in_no_mail()
    {
        var told = Low with
        {
            Type = EventTypes.TopUpAuthenticationRequired,
            Data = """{"customerId":"cus_1","clientSecret":"pi_1_secret_1","paymentMethod":"pm_1","publishableKey":"pk_1"}""",
        };

        Assert.DoesNotContain("_1_secret_1", AlertText.Of(told, "ops@example.com").Body, StringComparison.Ordinal);
        Assert.DoesNotContain("pm_1", AlertText.Of(told, "ops@example.com").Body, StringComparison.Ordinal);
        Assert.Contains("customerId: cus_1\n", AlertText.Of(told, "ops@example.com").Body, StringComparison.Ordinal);
    }

    [Fact]
    public void A_customer_reads_what_was_to_be_paid_why_it_was_not_and_what_to_do_and_whose_mail_it_is()
    {
        var payment = new Payment(
            Ids.New(), Ids.New(), Ids.New(), Ids.New(), Ids.New(), false, true, 10_000_000_000, 1050,
            new(8_333_333_333, 1_666_666_667, 500_000_000), Payment.Open, "pi_1", default)
        {
            FailureCode = "stolen_card", FailureMessage = "Your card\r\nwas declined.", OffSession = new(1, 1, "cus_1", "pm_1"),
        };

        var confirm = CustomerText.ToConfirm(payment, new(2026, 11, 28, 12, 30, 0, TimeSpan.Zero));
        var paused = CustomerText.Paused(payment);

        Assert.Equal("Please confirm your payment of 10.5 USD", confirm.Subject);
        Assert.Contains("10 USD of credit were to be bought with your saved card, for 10.5 USD", confirm.Body, StringComparison.Ordinal);
        Assert.Contains("confirm the payment there, by 2026-11-28 12:30 UTC", confirm.Body, StringComparison.Ordinal);
        Assert.Contains("declined: Your card  was declined. Nothing was paid.", paused.Body, StringComparison.Ordinal);
        Assert.Contains("save another card there", paused.Body, StringComparison.Ordinal);
        Assert.Contains("which was not done in time. Nothing was paid.", CustomerText.NotConfirmed(payment).Body, StringComparison.Ordinal);
        Assert.EndsWith("\n\nAcme\n", CustomerText.WithSender(paused.Body, "Acme"), StringComparison.Ordinal);
        Assert.NotEqual(confirm.Id, paused.Id);
        Assert.Equal((confirm.Id, paused.Id), (CustomerText.ToConfirm(payment, default).Id, CustomerText.Paused(payment).Id));
    }

    [Fact]
    public void A_mail_keeps_its_id_however_often_it_is_sent_and_is_answered_by_no_machine()
    {
        var mail = AlertText.Of(Low, "ops@example.com");

        using var message = MailWorker.MessageOf(mail, "gateway@mail.example");
        using var again = MailWorker.MessageOf(mail, "gateway@mail.example");

        Assert.Equal($"{Low.Id:N}@mail.example", message.MessageId);
        Assert.Equal(message.MessageId, again.MessageId);
        Assert.Contains("Auto-Submitted: auto-generated", message.Headers.Select(header => $"{header.Field}: {header.Value}"));
    }

    [Fact]
    public void Everything_that_is_mailed_is_an_event_that_there_is() =>
        Assert.Empty(AlertText.Titles.Keys.Concat(AlertText.Usual).Except(EventTypes.All));

    [Theory]
    [InlineData("email", "nobody", null)]
    [InlineData("email", "a@example.com\r\nBcc: b@example.com", null)]
    [InlineData("email", "A <a@example.com>", null)]
    [InlineData("events", "a@example.com", "")]
    [InlineData("events", "a@example.com", "wallet.low_balance wallet.tired")]
    [InlineData(null, "a@example.com", null)]
    [InlineData(null, "a@example.com", "dispute.opened")]
    public void What_cannot_be_told_or_to_nobody_is_refused_by_name(string? param, string email, string? events) =>
        Assert.Equal(
            param, PutAlerts.Refuse(new(email, events?.Split(' ', StringSplitOptions.RemoveEmptyEntries)))?.Param);

    [Fact]
    public void What_a_server_does_not_take_is_tried_for_three_days_with_pauses_that_double()
    {
        var pauses = Enumerable.Range(1, MailWorker.MaxAttempts - 1).Select(MailWorker.PauseAfter).ToList();

        Assert.Equal([10, 20, 40], pauses.Take(3).Select(pause => pause.TotalSeconds));
        Assert.Equal(TimeSpan.FromHours(1), pauses[^1]);
        Assert.InRange(pauses.Aggregate(TimeSpan.Zero, (sum, pause) => sum + pause).TotalDays, 2.9, 3.2);
    }
}
