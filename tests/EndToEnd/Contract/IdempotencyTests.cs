namespace LlmGateway.EndToEnd;

/// <summary>A management POST that is repeated under its key happens once.</summary>
public sealed class IdempotencyTests
{
    [Fact]
    public async Task A_credit_that_is_repeated_under_its_key_is_granted_once()
    {
        var (user, key) = (await Backend.App.NewUserAsync(null), Guid.NewGuid().ToString());
        var path = $"/v1/wallets/{user.WalletId}/credit";

        var first = (await Backend.App.PostAsync(path, """{"amount":"5"}""", key)).MustBe(200);
        var again = (await Backend.App.PostAsync(path, """{"amount":"5"}""", key, Stack.Proxy2)).MustBe(200);

        Assert.Null(first["Idempotent-Replayed"]);
        Assert.Equal("true", again["Idempotent-Replayed"]);
        Assert.Equal(first.Text, again.Text);
        Assert.Equal(5_000_000_000, await user.BalanceAsync());
    }

    /// <summary>Sealed with a key that was removed since, or by the version before keys of their own.</summary>
    [Fact]
    public async Task A_repetition_whose_answer_cannot_be_opened_any_more_says_so_and_does_nothing()
    {
        var (user, key) = (await Backend.App.NewUserAsync(null), Guid.NewGuid().ToString());
        var path = $"/v1/wallets/{user.WalletId}/credit";
        (await Backend.App.PostAsync(path, """{"amount":"5"}""", key)).MustBe(200);
        await using (var change = Books.Wallet.CreateCommand("update idempotent_call set sealed_body = $2 where key = $1"))
        {
            change.Parameters.Add(new() { Value = key });
            change.Parameters.Add(new() { Value = Convert.ToBase64String([1, .. new byte[200]]) });
            Assert.Equal(1, await change.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));
        }

        (await Backend.App.PostAsync(path, """{"amount":"5"}""", key))
            .MustBeProblem(409, "idempotency_answer_unreadable", "Idempotency-Key");

        Assert.Equal(5_000_000_000, await user.BalanceAsync());
    }

    [Fact]
    public async Task The_same_key_with_another_body_or_for_another_route_is_refused()
    {
        var (user, key) = (await Backend.App.NewUserAsync(null), Guid.NewGuid().ToString());

        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", """{"amount":"5"}""", key)).MustBe(200);

        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", """{"amount":"6"}""", key))
            .MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/debit", """{"amount":"5"}""", key))
            .MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");
        Assert.Equal(5_000_000_000, await user.BalanceAsync());
    }

    /// <summary>Its answer is forgotten after 72 hours, its effect never.</summary>
    [Theory]
    [InlineData("/v1/wallets/{0}/credit")]
    [InlineData("/v1/wallets/{0}/credit/")]
    [InlineData("/V1/Wallets/{0}/Credit")]
    public async Task A_credit_whose_answer_is_forgotten_is_still_granted_once_however_its_route_is_spelled(string spelling)
    {
        var (user, key) = (await Backend.App.NewUserAsync(null), Guid.NewGuid().ToString());
        var path = spelling.Replace("{0}", $"wal_{user.WalletId["wal_".Length..].ToUpperInvariant()}", StringComparison.Ordinal);
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", """{"amount":"5"}""", key)).MustBe(200);
        await ForgetAsync();

        (await Backend.App.PostAsync(path, """{"amount":"5"}""", key)).MustBe(200);
        await ForgetAsync();
        (await Backend.App.PostAsync(path, """{"amount":"6"}""", key)).MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");

        Assert.Equal(5_000_000_000, await user.BalanceAsync());

        async Task ForgetAsync()
        {
            await using var forget = Books.Wallet.CreateCommand("delete from idempotent_call where key = $1");
            forget.Parameters.Add(new() { Value = key });
            Assert.Equal(1, await forget.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task Twenty_credits_at_once_under_one_key_are_granted_once()
    {
        var (user, key) = (await Backend.App.NewUserAsync(null), Guid.NewGuid().ToString());

        var replies = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            Backend.App.PostAsync(
                $"/v1/wallets/{user.WalletId}/credit",
                """{"amount":"5"}""",
                key,
                i % 2 == 0 ? Stack.Proxy : Stack.Proxy2)));

        Assert.Contains(replies, reply => reply.Status == 200);
        Assert.All(
            replies.Where(reply => reply.Status != 200),
            reply => reply.MustBeProblem(409, "idempotency_key_in_use", "Idempotency-Key"));
        Assert.Equal(5_000_000_000, await user.BalanceAsync());
    }

    [Fact]
    public async Task A_refused_call_does_not_use_up_its_key()
    {
        var (user, key) = (await Backend.App.NewUserAsync("1"), Guid.NewGuid().ToString());
        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/debit", """{"amount":"3"}""", key)).MustBe(402);
        await Backend.App.CreditAsync(user.WalletId, "5");

        (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/debit", """{"amount":"3"}""", key)).MustBe(200);

        Assert.Equal(3_000_000_000, await user.BalanceAsync());
    }

    [Fact]
    public async Task A_mint_that_is_repeated_under_its_key_returns_the_same_session()
    {
        var (body, key) = ($$"""{"customer":"user-{{Guid.NewGuid():N}}"}""", Guid.NewGuid().ToString());

        var first = (await Backend.App.PostAsync("/v1/sessions", body, key)).MustBe(201);
        var again = (await Backend.App.PostAsync("/v1/sessions", body, key)).MustBe(201);

        Assert.Equal(first.Text, again.Text);
    }

    [Fact]
    public async Task Keys_of_different_projects_never_meet()
    {
        var (mine, theirs, key) = (await Backend.App.NewUserAsync(null), await Backend.Other.NewUserAsync(null), Guid.NewGuid().ToString());

        (await Backend.App.PostAsync($"/v1/wallets/{mine.WalletId}/credit", """{"amount":"1"}""", key)).MustBe(200);
        (await Backend.Other.PostAsync($"/v1/wallets/{theirs.WalletId}/credit", """{"amount":"2"}""", key)).MustBe(200);

        Assert.Equal((1_000_000_000, 2_000_000_000), (await mine.BalanceAsync(), await theirs.BalanceAsync()));
    }

    [Fact]
    public async Task A_key_that_is_too_long_is_refused()
    {
        var user = await Backend.App.NewUserAsync(null);
        var reply = await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", """{"amount":"5"}""", new string('k', 256));
        reply.MustBeProblem(400, "invalid_value", "Idempotency-Key");
    }
}
