using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>What becomes of a plan, as operators change it: by seed files, with callers at both proxies.</summary>
[Collection(nameof(Outages))]
public sealed class PlanChangeTests
{
    enum Change { Edit, Upgrade, Cancel, Renew }

    /// <summary>A customer that has bought and was given something, with two plans of its own and an order of changes of its own.</summary>
    sealed class Subscriber(User user, Change[] order)
    {
        int _tokens = 100_000;
        bool _isLarge, _isEnded;

        public User User => user;

        public bool IsEnded => _isEnded;

        /// <summary>Calls that the quota has paid.</summary>
        public int Calls { get; set; }

        public void Apply(int step) => (_tokens, _isLarge, _isEnded) = order[step] switch
        {
            Change.Edit => (_tokens + 1_000, _isLarge, _isEnded),
            Change.Upgrade => (_tokens, true, _isEnded),
            Change.Cancel => (_tokens, _isLarge, true),
            _ => (_tokens, _isLarge, false),
        };

        public string Plans => $"{Plan("small", _tokens)},{Plan("large", _tokens + 5_000)}";

        string Plan(string size, int tokens) => $$"""{"id":"{{IdOf(size)}}","name":"{{size}}","price":"9","tokens":{{tokens}}}""";

        public string Customer => $$"""{"externalId":"{{user.ExternalId}}","plan":{{JsonSerializer.Serialize(Current)}}}""";

        string? Current => _isEnded ? null : IdOf(_isLarge ? "large" : "small");

        string IdOf(string size) => $"{size}-{user.Customer:N}";

        public override string ToString() => string.Join(", ", order);
    }

    /// <summary>Each of 24 customers has another order, so that four files are enough for all of them.</summary>
    [Fact]
    public async Task Whatever_becomes_of_a_plan_in_whatever_order_what_was_bought_and_given_stays_as_it_is()
    {
        var subscribers = await Task.WhenAll(Orders(Enum.GetValues<Change>()).Select(NewAsync));
        await ApplyAsync(subscribers);
        var before = await Task.WhenAll(subscribers.Select(subscriber => HavingAsync(subscriber.User)));
        Assert.All(before, having => Assert.Contains("topup", having));

        for (var step = 0; step < 5; step++)
        {
            // The last file comes twice.
            foreach (var subscriber in subscribers)
                if (step < 4)
                    subscriber.Apply(step);
            await ApplyAsync(subscribers);
            await Task.WhenAll(subscribers.Select(MustBeServedAsync));
            foreach (var (subscriber, had) in subscribers.Zip(before))
                Assert.True(had == await HavingAsync(subscriber.User), $"{subscriber}: {step}");
        }

        foreach (var subscriber in subscribers)
        {
            Assert.All(await Books.UsageAsync(subscriber.User, subscriber.Calls), row => Assert.Equal(0, row.Charged));
            Assert.Equal(subscriber.Calls, (await Books.UsageAsync(subscriber.User)).Count);
            var plan = (await Backend.App.GetAsync($"/v1/customers/{subscriber.User.CustomerId}")).MustBe(200).Json.GetProperty("plan");
            if (!subscriber.IsEnded)
                Assert.Equal($"{23 * subscriber.Calls}", plan.GetProperty("quota").Text("used"));
        }
    }

    static async Task<Subscriber> NewAsync(Change[] order)
    {
        var purchase = await Purchase.PaidAsync("12");
        await purchase.MustHaveAsync("10");
        var user = purchase.User;
        foreach (var (kind, end) in ((string, string)[])[("promotion", "2999-01-01"), ("grant", "2999-02-01")])
            (await Backend.App.PostAsync($"/v1/wallets/{user.WalletId}/credit", $$"""
                {"amount":"0.5","kind":"{{kind}}","expiresAt":"{{end}}T00:00:00Z"}
                """)).MustBe(200);
        foreach (var more in (string[])["", ",\"kind\":\"promotion\",\"expiresAt\":\"2999-01-01T00:00:00Z\""])
            (await Backend.App.PostAsync(
                $"/v1/customers/{user.CustomerId}/balances", $$"""{"type":"standard","amount":7,"op":"credit"{{more}}}""")).MustBe(200);
        return new(user, order);
    }

    static Task ApplyAsync(Subscriber[] all) => SeedFiles.ApplyAsync($$"""
        "plans":[{{string.Join(',', all.Select(one => one.Plans))}}],"customers":[{{string.Join(',', all.Select(one => one.Customer))}}]
        """);

    /// <summary>By its quota, or not at all: what was bought and given pays no call of who has had a plan.</summary>
    static async Task MustBeServedAsync(Subscriber subscriber)
    {
        foreach (var proxy in Stack.Proxies)
        {
            var reply = await subscriber.User.ChatAsync("small", Price.Question, at: proxy);
            if (subscriber.IsEnded)
                reply.MustBeProblem(402, "plan_ended");
            else
                Assert.Equal(("tokens=23", "0"), (reply.MustBe(200)["X-LLMGateway-Used"], reply["X-LLMGateway-Cost"]));
        }
        subscriber.Calls += subscriber.IsEnded ? 0 : Stack.Proxies.Length;
    }

    /// <summary>The wallet with its lots, its statement and the call credits, as they are shown.</summary>
    static async Task<string> HavingAsync(User user)
    {
        var wallet = $"/v1/wallets/{user.WalletId}";
        string[] paths = [wallet, $"{wallet}/ledger", $"/v1/customers/{user.CustomerId}/balances"];
        return string.Concat(await Task.WhenAll(paths.Select(async path => (await Backend.App.GetAsync(path)).MustBe(200).Text)));
    }

    static IEnumerable<T[]> Orders<T>(T[] of) => of.Length == 0
        ? [[]]
        : of.SelectMany((first, i) => Orders((T[])[.. of[..i], .. of[(i + 1)..]]).Select(rest => (T[])[first, .. rest]));
}
