using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>Usage that a backend has counted itself, in units of routes of <c>apis.seed.json</c>.</summary>
public sealed class MeterTests
{
    const string Path = "/v1/meter";

    static readonly Backend App = Backend.Apis;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_is_charged_like_a_call_of_its_route()
    {
        var user = await App.NewUserAsync("1");
        await LimitAsync(user, 20);
        var told = (await TellAsync(Event(NewId(), user, 7))).MustBe(200).Json;
        Assert.Equal(("accepted", "0.007"), (told.Text("status"), told.Text("cost")));
        Assert.Equal(Money.NanosPerUsd - 7_000_000, await user.BalanceAsync());
        Assert.Contains("/v1/meter", (await App.GetAsync($"/v1/usage/requests/{told.Text("requestId")}")).MustBe(200).Text);
        (await TellAsync(Event(NewId(), user, 14))).MustBeProblem(429, "limit_reached");
        (await TellAsync(Event(NewId(), user, 13))).MustBe(200);
        Assert.Equal(2, (await Books.UsageAsync(user)).Count);

        var subscriber = await App.NewUserAsync(null);
        await Books.GivePlanAsync(subscriber, 100, overagePicos: null);
        Assert.Equal("tokens=60", (await TellAsync(Event(NewId(), subscriber, 60, "words"))).MustBe(200).Json.Text("used"));
        (await TellAsync(Event(NewId(), subscriber, 41, "words"))).MustBeProblem(429, "limit_reached");
        (await TellAsync(Event(NewId(), subscriber, 40, "words"))).MustBe(200);

        var caller = await App.NewUserAsync(null);
        (await App.PostAsync(
            $"/v1/customers/{caller.CustomerId}/balances", """{"type":"standard","amount":1,"op":"credit"}""")).MustBe(200);
        Assert.Equal("query:standard=1", (await TellAsync(Event(NewId(), caller, 1, "credited"))).MustBe(200).Json.Text("used"));
        // A route that is switched off says what a unit is all the same.
        (await TellAsync(Event(NewId(), user, 1, "switched off"))).MustBeProblem(429, "limit_reached");
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task An_event_counts_once_however_often_and_by_however_many_it_is_told()
    {
        var (user, id) = (await App.NewUserAsync("1"), NewId());

        var replies = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => TellAsync(Event(id, user, 10), Stack.Proxies[i % 2])));

        Assert.All(replies, reply => Assert.Contains(reply.MustBe(200).Json.Text("status"), (string[])["accepted", "duplicate"]));
        Assert.Single(replies.Select(reply => reply.Json.Text("requestId")).Distinct());
        Assert.Equal(Money.NanosPerUsd - 10_000_000, await user.BalanceAsync());
        var again = (await TellAsync(Event(id, user, 10).Replace(user.ExternalId, user.CustomerId))).MustBe(200).Json;
        Assert.Equal(("duplicate", null), (again.Text("status"), again.Text("cost")));
        (await TellAsync(Event(id, user, 11))).MustBeProblem(422, "event_id_reused", "id");
        (await TellAsync(Event(id, await App.NewUserAsync("1"), 10))).MustBeProblem(422, "event_id_reused", "id");
        Assert.Single(await Books.UsageAsync(user));
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task An_event_that_was_refused_is_charged_when_it_can_be()
    {
        var (user, id) = (await App.NewUserAsync("0.009"), NewId());
        (await TellAsync(Event(id, user, 10))).MustBeProblem(402, "wallet_exhausted");
        Assert.Empty(await Books.UsageAsync(user));

        await App.CreditAsync(user.WalletId, "0.001");

        Assert.Equal("accepted", (await TellAsync(Event(id, user, 10))).MustBe(200).Json.Text("status"));
        Assert.Equal("duplicate", (await TellAsync(Event(id, user, 10))).MustBe(200).Json.Text("status"));
        Assert.Equal(0, await user.BalanceAsync());
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task A_batch_says_of_each_event_what_became_of_it()
    {
        var (rich, poor, suspended) = (await App.NewUserAsync("1"), await App.NewUserAsync(null), await App.NewUserAsync("1"));
        (await App.PatchAsync($"/v1/customers/{suspended.CustomerId}", """{"status":"suspended"}""")).MustBe(200);
        var known = Event(NewId(), rich, 1);
        (await TellAsync(known)).MustBe(200);
        string[] events =
        [
            Event(NewId(), rich, 2), known, Event(NewId(), poor, 1), Event(NewId(), suspended, 1),
            Event(NewId(), rich, 1).Replace(rich.ExternalId, "nobody"),
        ];

        var told = (await TellAsync($$"""{"events":[{{string.Join(',', events)}}]}""")).MustBe(200).Json;

        Assert.Equal((1, 1, 3), (told.Int("accepted"), told.Int("duplicates"), told.Int("rejected")));
        Assert.Equal(
            ["accepted", "duplicate", "wallet_exhausted", "customer_suspended", "not_found"],
            told.Items("results").Select(
                one => one.Text("status") == "rejected" ? one.GetProperty("error").Text("code") : one.Text("status")));
        Assert.Equal(Money.NanosPerUsd - 3_000_000, await rich.BalanceAsync());
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task A_batch_with_a_mistake_charges_nothing()
    {
        var user = await App.NewUserAsync("1");
        var good = Event(NewId(), user, 5);

        var refused = await TellAsync($$"""{"events":[{{good}},{{Event(NewId(), user, -5)}}]}""");

        refused.MustBeProblem(400, "invalid_value", "events[1].quantity");
        Assert.Equal(Money.NanosPerUsd, await user.BalanceAsync());
        Assert.Equal("accepted", (await TellAsync(good)).MustBe(200).Json.Text("status"));
    }

    /// <summary>The usage log may not have its request any more.</summary>
    [Fact]
    public async Task An_event_of_a_month_that_is_gone_counts_once()
    {
        var user = await App.NewUserAsync("0.005");
        var (booked, refused) = (NewId(), NewId());
        (await TellAsync(Event(booked, user, 5))).MustBe(200);
        (await TellAsync(Event(refused, user, 5))).MustBeProblem(402, "wallet_exhausted");
        foreach (var id in (string[])[booked, refused])
        {
            await using var age = Books.Wallet.CreateCommand("update metered_event set request_id = $2 where event = $1");
            age.Parameters.Add(new() { Value = id });
            age.Parameters.Add(new() { Value = Ids.New(new DateTimeOffset(2020, 1, 1, 0, 0, 0, TimeSpan.Zero)) });
            Assert.Equal(1, await age.ExecuteNonQueryAsync(Token));
        }
        await App.CreditAsync(user.WalletId, "0.01");

        Assert.Equal("duplicate", (await TellAsync(Event(booked, user, 5))).MustBe(200).Json.Text("status"));
        Assert.Equal("accepted", (await TellAsync(Event(refused, user, 5))).MustBe(200).Json.Text("status"));
        Assert.Equal("duplicate", (await TellAsync(Event(refused, user, 5))).MustBe(200).Json.Text("status"));
        Assert.Equal(5_000_000, await user.BalanceAsync());
        await Books.MustBeRightAsync();
    }

    [Fact]
    public async Task Only_who_may_tell_usage_does_and_only_of_its_own_world()
    {
        var user = await App.NewUserAsync("1");
        var narrow = (await App.PostAsync("/v1/secret-keys", """{"name":"narrow","permissions":["usage:read"]}""")).MustBe(201).Json;

        (await Gateway.SendAsync("POST", Path, narrow.Text("key"), Event(NewId(), user, 1))).MustBeProblem(403, "insufficient_permission");
        (await Gateway.SendAsync("POST", Path, user.Token, Event(NewId(), user, 1))).MustBeProblem(401, "wrong_credential_kind");
        (await Backend.ApisTest.PostAsync(Path, Event(NewId(), user, 1))).MustBeProblem(404, "not_found");
        (await Backend.Other.PostAsync(Path, Event(NewId(), user, 1))).MustBeProblem(400, "invalid_value", "route");
        Assert.Equal(Money.NanosPerUsd, await user.BalanceAsync());
        (await App.DeleteAsync($"/v1/secret-keys/{narrow.Text("id")}")).MustBe(204);
    }

    static string NewId() => $"event-{Guid.NewGuid():N}";

    static string Event(string id, User user, long quantity, string route = "rows") =>
        $$"""{"id":"{{id}}","customer":"{{user.ExternalId}}","route":"{{route}}","quantity":{{quantity}}}""";

    static Task<Reply> TellAsync(string json, Uri? at = null) => App.PostAsync(Path, json, at: at);

    static async Task LimitAsync(User user, long requests) => (await App.PutAsync($"/v1/customers/{user.CustomerId}/limits", $$"""
        [{"id":"few","unit":"requests","amount":{{requests}},"cycle":"day"}]
        """)).MustBe(200);
}
