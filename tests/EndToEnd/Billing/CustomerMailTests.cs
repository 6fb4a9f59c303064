using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What the owner of a saved card reads when nothing more happens by itself.</summary>
public sealed class CustomerMailTests
{
    /// <summary>Row 7.10: once for each payment that wants its owner, and not with each look.</summary>
    [Fact]
    public async Task A_card_s_owner_is_mailed_once_of_each_payment_that_it_is_to_confirm_and_of_none_that_needs_nobody()
    {
        var (user, to) = await NewUserAsync();
        var card = await SavedCard.SaveAsync(user, SavedCard.NeedsOwner);
        await card.TurnOnAsync("1", "10", "100");
        await card.SpendAsync("1.5");
        var paused = await card.MustBecomeAsync("paused");
        await card.MustBeLookedAtAsync();

        var mail = Assert.Single(await MailsAsync(to, 1));
        Assert.Equal("Please confirm your payment of 10.5 USD", mail.Text("subject"));
        Assert.EndsWith("\napp", mail.Text("text").TrimEnd(), StringComparison.Ordinal);
        Assert.DoesNotContain("_secret_", mail.Text("text"), StringComparison.Ordinal);
        Assert.Equal(1, await WrittenAsync(user));

        // Another card, saved with its owner: it is charged, and nobody is needed.
        await SavedCard.SaveAsync(user);
        await Eventually.GetAsync(card.TopUpsAsync, all => all.Length == 1, "the top-up", SavedCard.Patience);
        Assert.NotEqual(JsonValueKind.Null, paused.GetProperty("confirm").ValueKind);
        Assert.Equal(1, await WrittenAsync(user));
    }

    [Fact]
    public async Task A_card_s_owner_is_mailed_once_when_no_further_attempt_follows()
    {
        var (user, to) = await NewUserAsync();
        var card = await SavedCard.SaveAsync(user, SavedCard.DeclinedLater);
        await card.TurnOnAsync("1", "10", "100");
        // Three of four have gone.
        Assert.Equal(1, await Purchase.RunAsync("billing", "update auto_top_up set failures = 3 where customer = $1", user.Customer));

        await card.SpendAsync("1.5");
        await card.MustBecomeAsync("paused");

        var mail = Assert.Single(await MailsAsync(to, 1));
        Assert.StartsWith("Your card was declined", mail.Text("subject"), StringComparison.Ordinal);
        Assert.Contains("save another card", mail.Text("text"), StringComparison.Ordinal);
        Assert.Equal(1, await WrittenAsync(user));
    }

    /// <summary>Whoever has a key names the addresses, and in the test world nothing is paid.</summary>
    [Fact]
    public async Task Customers_of_the_test_world_are_mailed_so_often_in_an_hour_and_read_that_it_is_no_money()
    {
        var card = await SavedCard.SaveAsync(await Backend.DocumentsTest.NewUserAsync("2"), SavedCard.NeedsOwner);
        await PauseAsync(card);
        Assert.Equal(1, await WrittenAsync(card.User));
        Assert.Equal(1, await Purchase.NumberAsync(
            "billing", "select count(*) from mail where customer = $1 and subject like '[test] %' and body like 'Of the test world%'",
            card.User.Customer));
        Assert.Equal(59, await Purchase.NumberAsync("billing", """
            with others as (
                insert into mail (id, customer, subject, body, project, test, status)
                select gen_random_uuid(), gen_random_uuid(), 'Subject', 'Body', project, test, 'sent' from mail, generate_series(1, 59)
                where customer = $1
                returning 1)
            select count(*) from others
            """, card.User.Customer));

        var next = await SavedCard.SaveAsync(await Backend.DocumentsTest.NewUserAsync("2"), SavedCard.NeedsOwner);
        await PauseAsync(next);
        Assert.Equal(0, await WrittenAsync(next.User));

        static async Task PauseAsync(SavedCard card)
        {
            await card.TurnOnAsync("1", "10", "100");
            await card.SpendAsync("1.5");
            await card.MustBecomeAsync("paused");
        }
    }

    [Fact]
    public async Task A_mail_to_who_has_no_address_any_more_is_given_up_and_none_is_kept()
    {
        var (user, to) = await NewUserAsync();
        (await user.Backend.PatchAsync($"/v1/customers/{user.CustomerId}", """{"email":null}""")).MustBe(200);

        Assert.Equal(1, await Purchase.RunAsync(
            "billing", "insert into mail (id, customer, subject, body) values (gen_random_uuid(), $1, 'Subject', 'Body')", user.Customer));

        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing",
                "select count(*) from mail where customer = $1 and status = 'failed' and reason like '%no mail address%'",
                user.Customer) == 1,
            "a mail that is given up");
        Assert.Empty(await MailsAsync(to, 0));
    }

    /// <summary>With two dollars and an address that no other test has.</summary>
    static async Task<(User User, string To)> NewUserAsync()
    {
        var (user, to) = (await Backend.App.NewUserAsync("2"), $"customer-{Guid.NewGuid():N}@example.com");
        (await Backend.App.PatchAsync($"/v1/customers/{user.CustomerId}", $$"""{"email":"{{to}}"}""")).MustBe(200);
        return (user, to);
    }

    static Task<long> WrittenAsync(User user) =>
        Purchase.NumberAsync("billing", "select count(*) from mail where customer = $1 and recipient is null", user.Customer);

    static Task<JsonElement[]> MailsAsync(string to, int count) => Eventually.GetAsync(
        async () => (await Gateway.SendAsync("GET", $"/sandbox/mail?to={to}", at: Stack.Sandbox)).MustBe(200).Json.Items("mails").ToArray(),
        mails => mails.Length >= count, $"{count} mails to {to}");
}
