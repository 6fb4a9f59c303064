namespace LlmGateway.EndToEnd;

/// <summary>Whatever moves money by a POST: ten equal ones in the same moment, at both proxies and under one key, move it once.</summary>
[Collection(nameof(Payments))]
public sealed class SimultaneousPostTests
{
    /// <param name="Other">Another body, which the key is refused for.</param>
    /// <param name="Read">What shows how often it has happened, and <paramref name="Once"/>, what it shows after one time.</param>
    sealed record Post(string Credential, string Path, string Body, string Other, Func<Task<string>> Read, string Once)
    {
        public Task<Reply> SendAsync(string key, string body, int i) =>
            Gateway.SendAsync("POST", Path, Credential, body, Stack.Proxies[i % 2], ("Idempotency-Key", key));
    }

    static readonly Dictionary<string, Func<Task<Post>>> Posts = new()
    {
        ["credit"] = () => OfWalletAsync("credit", "8"),
        ["debit"] = () => OfWalletAsync("debit", "2"),
        ["credit of call credits"] = () => OfCreditsAsync("credit", "8"),
        ["debit of call credits"] = () => OfCreditsAsync("debit", "2"),
        ["refund"] = async () =>
        {
            var purchase = await Purchase.PaidAsync();
            await purchase.MustHaveAsync("8.333333333");
            return new(
                Backend.App.Key, $"/v1/wallets/{purchase.User.WalletId}/refunds", $$"""{"payment":"{{purchase.Id}}","amount":"1"}""",
                $$"""{"payment":"{{purchase.Id}}","amount":"2"}""", async () => (await purchase.ShownAsync()).Text("refunded"), "1");
        },
        ["redemption"] = async () =>
        {
            var (user, codes) = (await Backend.App.NewUserAsync(credit: null), new List<string>());
            for (var i = 0; i < 2; i++)
            {
                codes.Add($"T{Guid.NewGuid():N}"[..20].ToUpperInvariant());
                (await Backend.App.PostAsync("/v1/promotions", $$"""{"code":"{{codes[i]}}","amount":"2.5","maxRedemptions":10}"""))
                    .MustBe(201);
            }
            return new(
                user.Token, "/v1/wallet/redeem", $$"""{"code":"{{codes[0]}}"}""", $$"""{"code":"{{codes[1]}}"}""",
                async () => Gateway.Usd(await user.BalanceAsync()), "2.5");
        },
    };

    public static TheoryData<string> Kinds() => [.. Posts.Keys];

    static async Task<Post> OfWalletAsync(string what, string once)
    {
        var user = await Backend.App.NewUserAsync("5");
        return new(
            Backend.App.Key, $"/v1/wallets/{user.WalletId}/{what}", """{"amount":"3"}""", """{"amount":"1"}""",
            async () => Gateway.Usd(await user.BalanceAsync()), once);
    }

    static async Task<Post> OfCreditsAsync(string op, string once)
    {
        var user = await Backend.App.NewUserAsync(credit: null);
        var path = $"/v1/customers/{user.CustomerId}/balances";
        (await Backend.App.PostAsync(path, Body(5, "credit"))).MustBe(200);
        return new(
            Backend.App.Key, path, Body(3, op), Body(1, op),
            async () => $"{(await Backend.App.GetAsync(path)).MustBe(200).Json.Items("balances").Single().Int("count")}", once);

        static string Body(int amount, string op) => $$"""{"type":"standard","amount":{{amount}},"op":"{{op}}"}""";
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task Ten_equal_ones_at_once_under_one_key_happen_once_and_another_one_under_it_never(string kind)
    {
        var (post, key) = (await Posts[kind](), Guid.NewGuid().ToString());

        var replies = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => post.SendAsync(key, post.Body, i)));

        var answers = replies.Where(reply => !KeyedCall.IsInUse(reply)).ToList();
        Assert.Single(answers, answer => answer["Idempotent-Replayed"] is null);
        Assert.All(answers, answer => Assert.Equal(answers[0].Text, answer.MustBeOneOf(200, 201).Text));
        Assert.Equal(post.Once, await post.Read());

        for (var i = 0; i < 2; i++)
        {
            Assert.Equal("true", (await post.SendAsync(key, post.Body, i)).MustBeOneOf(200, 201)["Idempotent-Replayed"]);
            (await post.SendAsync(key, post.Other, i)).MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");
        }
        Assert.Equal(post.Once, await post.Read());
        await Books.MustBeRightAsync();
    }
}
