using System.Collections.Concurrent;
using LlmGateway.Contracts;
using LlmGateway.Webhooks;

namespace LlmGateway.EndToEnd;

/// <summary>Who is sent what at which moment: many endpoints, several workers, disabled endpoints, secrets that are replaced.</summary>
public sealed class DispatchTests : OnOwnWebhooks
{
    [Fact]
    public async Task Nothing_is_sent_to_a_disabled_endpoint_and_all_that_has_waited_is_sent_in_its_order_when_it_is_active()
    {
        const int Count = 1_000;
        var (disabled, secret) = await _webhooks.AddEndpointAsync(_listener.Url + "/disabled");
        await _webhooks.AddEndpointAsync(_listener.Url);
        var view = (await _webhooks.PatchAsync($"/v1/webhooks/{disabled}", """{"status":"disabled"}""")).MustBe(200).Json;
        Assert.Equal(("disabled", null), (view.Text("status"), view.Text("disabledReason")));
        await _webhooks.AddWorkerAsync();
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => _webhooks.TellAsync(Count / 10)));

        // The other endpoint has everything: there was a time for each, and none was sent.
        await _listener.ToldAsync(Count, TimeSpan.FromSeconds(60));
        Assert.All(_listener.All, told => Assert.Equal("/hook", told.Path));
        await _webhooks.BecomesAsync($"{Count} 0, {Count} 1");

        (await _webhooks.PatchAsync($"/v1/webhooks/{disabled}", """{"status":"active"}""")).MustBe(200);

        await _webhooks.BecomesAsync($"{2 * Count} 1", TimeSpan.FromSeconds(60));
        var late = _listener.All.Where(told => told.Path != "/hook").ToList();
        Assert.Equal(Count, late.Count);
        Assert.All(late.GroupBy(told => told.Customer), ofOne => Assert.Equal(
            Enumerable.Range(1, Count / 10).Select(number => (long)number), ofOne.Select(told => told.Sequence)));
        Assert.All(late, told => Assert.True(told.IsSignedWith(secret)));
    }

    [Fact]
    public async Task A_request_that_hangs_ends_when_its_endpoint_is_disabled_and_is_no_attempt()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        var left = new TaskCompletionSource();
        _listener.Answer = async (_, http) =>
        {
            await Task.Delay(Timeout.Infinite, http.RequestAborted).ContinueWith(_ => left.TrySetResult(), TaskScheduler.Default);
        };
        await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();
        await _listener.ToldAsync(1);

        (await _webhooks.PatchAsync($"/v1/webhooks/{endpoint}", """{"status":"disabled"}""")).MustBe(200);
        await left.Task.WaitAsync(Eventually.Usual, Token);

        Assert.Equal(["0 0"], await _webhooks.RowsAsync("select attempts, state from delivery"));
        _listener.AnswerWith(200);
        (await _webhooks.PatchAsync($"/v1/webhooks/{endpoint}", """{"status":"active"}""")).MustBe(200);
        await _webhooks.BecomesAsync("1 1");
    }

    [Fact]
    public async Task What_is_queued_when_a_secret_is_replaced_verifies_with_both_until_the_rotation_ends()
    {
        var (endpoint, old) = await _webhooks.AddEndpointAsync(_listener.Url);
        await _webhooks.TellAsync(100);

        var rotated = (await _webhooks.PostAsync($"/v1/webhooks/{endpoint}/rotate-secret", """{"overlapSeconds":3600}""")).MustBe(200).Json;
        var renewed = rotated.Text("secret");
        Assert.Equal(2, rotated.GetProperty("secrets").GetArrayLength());
        Assert.Null(rotated.GetProperty("secrets")[0].Text("expiresAt"));
        await _webhooks.AddWorkerAsync();
        var told = await _listener.ToldAsync(100);

        Assert.All(told, one => Assert.True(one.IsSignedWith(old) && one.IsSignedWith(renewed)));
        // Official packages read the last one: a receiver that knows nothing of a rotation goes on.
        Assert.All(told, one => Assert.Equal(
            3, one.Headers["X-LLMGateway-Signature"].Split(',').Length));

        Assert.Single(
            (await _webhooks.PostAsync($"/v1/webhooks/{endpoint}/end-rotation")).MustBe(200).Json.Items("secrets"));
        await _webhooks.BecomesAsync("100 1");
        var since = DateTimeOffset.UtcNow.AddHours(-1).ToString("o");
        (await _webhooks.PostAsync($"/v1/webhooks/{endpoint}/replay", $$"""{"since":"{{since}}"}""")).MustBe(202);
        var after = (await _listener.ToldAsync(200)).Skip(100).ToList();
        Assert.All(after, one => Assert.True(one.IsSignedWith(renewed) && !one.IsSignedWith(old)));
    }

    [Fact]
    public async Task Three_secrets_sign_at_most_and_one_that_must_go_at_once_does()
    {
        var (endpoint, first) = await _webhooks.AddEndpointAsync(_listener.Url);
        var rotate = $"/v1/webhooks/{endpoint}/rotate-secret";
        var second = (await _webhooks.PostAsync(rotate)).MustBe(200).Json.Text("secret");
        var third = (await _webhooks.PostAsync(rotate)).MustBe(200).Json.Text("secret");

        (await _webhooks.PostAsync(rotate)).MustBeProblem(409, "too_many_secrets");
        await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();
        var told = (await _listener.ToldAsync(1))[0];
        Assert.All([first, second, third], secret => Assert.True(told.IsSignedWith(secret)));
        Assert.Equal(4, new HashSet<string>([first, second, third, ""]).Count);

        var last = (await _webhooks.PostAsync(rotate, """{"overlapSeconds":0}""")).MustBe(200).Json.Text("secret");
        await _webhooks.TellAsync(1);
        told = (await _listener.ToldAsync(2))[1];
        Assert.True(told.IsSignedWith(last));
        Assert.All([first, second, third], secret => Assert.False(told.IsSignedWith(secret)));
    }

    [Fact]
    public async Task Fifty_dead_receivers_do_not_delay_a_healthy_one()
    {
        await using var dead = await WebhookListener.StartAsync();
        var most = AnswerNobody(dead);
        for (var i = 0; i < 50; i++)
            await _webhooks.AddEndpointAsync(dead.Url);
        await _webhooks.AddEndpointAsync(_listener.Url);
        await _webhooks.AddWorkerAsync();

        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => _webhooks.TellAsync(5)));

        // A dead one has its request for fifteen seconds: whoever waits for one is not done by then.
        await _listener.ToldAsync(100, TimeSpan.FromSeconds(12));
        Assert.InRange(most(), 1, 50 + OwnerSlots.PerOwner);
        await _webhooks.AddWorkerAsync();
    }

    /// <summary>As many as a few projects may have, each with one event, at a system that answers nobody.</summary>
    [Fact]
    public async Task Hundreds_of_dead_receivers_of_one_owner_leave_places_to_others()
    {
        await using var dead = await WebhookListener.StartAsync();
        var most = AnswerNobody(dead);
        await _webhooks.RunAsync("""
            insert into endpoint (id, organization, project, test, url)
            select gen_random_uuid(), $1, $2, false, $3 from generate_series(1, 450)
            """, _webhooks.Caller.Organization, _webhooks.Caller.Project, dead.Url);
        await _webhooks.TellAsync(1);
        _webhooks.Caller = _webhooks.Caller with { Organization = Ids.New(), Project = Ids.New() };
        var (healthy, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        await _webhooks.TellAsync(1);
        // Those of the other owner come first.
        await _webhooks.RunAsync(
            "update endpoint set held_until = now() - interval '1 second' where organization = $1", _webhooks.Caller.Organization);

        await _webhooks.AddWorkerAsync();

        // A dead one has its request for fifteen seconds.
        await _listener.ToldAsync(1, TimeSpan.FromSeconds(12));
        Assert.InRange(most(), 0, 64);
        Assert.StartsWith("we_", healthy);
    }

    [Fact]
    public async Task Endpoints_are_looked_at_when_something_waits_for_them_a_bounded_number_at_a_time_and_all_in_turn()
    {
        await _webhooks.TellAsync(1);
        await _webhooks.RunAsync("""
            with made as (
                insert into endpoint (id, organization, project, test, url)
                select gen_random_uuid(), $1, $1, false, 'https://hooks.example.com' from generate_series(1, $2) returning id),
            waits as (select id, row_number() over () as nth from made)
            insert into delivery (event, endpoint, subject, sequence, next_at)
            select v.id, waits.id, v.subject, v.sequence, now() + interval '1 hour' from waits, event v where nth > 10
            """, Ids.New(), Dispatcher.MaxLookedAt + 60);
        using var worker = _webhooks.NewWorker();

        var first = await worker.WaitingAsync(Token);
        var second = await worker.WaitingAsync(Token);
        var third = await worker.WaitingAsync(Token);

        Assert.Equal((Dispatcher.MaxLookedAt, 50), (first.Length, second.Length));
        Assert.Equal(Dispatcher.MaxLookedAt + 50, first.Union(second).Count());
        Assert.Equal(first, third);
    }

    [Fact]
    public async Task Several_workers_send_each_event_once_and_those_of_one_customer_in_their_order()
    {
        const int Customers = 20, Each = 15, Workers = 3;
        string[] paths = ["/hook", "/hook/2", "/hook/3"];
        foreach (var path in paths)
            await _webhooks.AddEndpointAsync(_listener.Url + path["/hook".Length..]);
        for (var i = 0; i < Workers; i++)
            await _webhooks.AddWorkerAsync();

        await Task.WhenAll(Enumerable.Range(0, Customers).Select(_ => _webhooks.TellAsync(Each)));
        await _webhooks.BecomesAsync($"{Customers * Each * paths.Length} 1", TimeSpan.FromSeconds(60));

        Assert.All(_listener.All.GroupBy(told => (told.Path, told.Customer)), ofOne => Assert.Equal(
            Enumerable.Range(1, Each).Select(number => (long)number), ofOne.Select(told => told.Sequence)));
        Assert.Equal(Customers * Each * paths.Length, _listener.All.Count);
        Assert.Equal(
            [$"{_listener.All.Count} 1"], await _webhooks.RowsAsync("select count(*), max(number) from attempt"));
    }

    /// <summary>As when a worker stood still for longer than its hold: it has asked, and its answer counts for nothing.</summary>
    [Fact]
    public async Task A_worker_that_has_lost_its_endpoint_ends_and_another_one_goes_on()
    {
        await _webhooks.AddEndpointAsync(_listener.Url);
        var asked = new ConcurrentQueue<string>();
        _listener.Answer = async (told, http) =>
        {
            asked.Enqueue(told.Id);
            if (asked.Count == 1)
                await Task.Delay(Timeout.Infinite, http.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        };
        await _webhooks.TellAsync(3);
        await _webhooks.AddWorkerAsync();
        await _listener.ToldAsync(1);

        await _webhooks.RunAsync("update endpoint set holder = gen_random_uuid(), held_until = now()");
        await _webhooks.BecomesAsync("3 1");

        Assert.Equal(["3 1"], await _webhooks.RowsAsync("select count(*), max(number) from attempt"));
        Assert.Equal(4, asked.Count);
        Assert.Equal([1, 1, 2, 3], _listener.All.Select(told => told.Sequence));
    }

    [Fact]
    public async Task An_event_that_comes_twice_or_has_anothers_number_is_sent_once()
    {
        await _webhooks.AddEndpointAsync(_listener.Url);
        var customer = await _webhooks.TellAsync(2);

        await Assert.ThrowsAsync<InvalidDataException>(() => _webhooks.TellAsync(1, customer));
        await _webhooks.AddWorkerAsync();
        await _webhooks.BecomesAsync("2 1");

        Assert.Equal([1, 2], _listener.All.Select(told => told.Sequence));
    }

    [Fact]
    public async Task An_endpoint_is_told_what_it_asks_for_in_its_project_and_mode_from_its_beginning_to_its_end()
    {
        var all = await _webhooks.AddEndpointAsync(_listener.Url + "/all");
        var some = (await _webhooks.PostAsync(
            "/v1/webhooks", $$"""{"url":"{{_listener.Url}}/some","enabledEvents":["wallet.frozen","wallet.frozen"]}""")).MustBe(201).Json;
        Assert.Equal("wallet.frozen", Assert.Single(some.Items("enabledEvents")).GetString());
        var own = _webhooks.Caller;
        foreach (var other in (Principal[])[own with { Test = true }, own with { Project = Ids.New() }])
        {
            _webhooks.Caller = other;
            await _webhooks.AddEndpointAsync(_listener.Url + "/other");
        }
        _webhooks.Caller = own;
        await _webhooks.TellAsync(1);
        await _webhooks.TellAsync(1, type: EventTypes.WalletFrozen);
        (await _webhooks.PatchAsync($"/v1/webhooks/{some.Text("id")}", """{"enabledEvents":null}""")).MustBe(200);
        await _webhooks.TellAsync(1, type: EventTypes.WindowOpened);
        (await _webhooks.DeleteAsync($"/v1/webhooks/{all.Id}")).MustBe(200);
        await _webhooks.TellAsync(1, type: EventTypes.WalletExhausted);
        await _webhooks.AddWorkerAsync();

        var told = await _listener.ToldAsync(3);

        await _webhooks.BecomesAsync("3 0, 3 1"); // of the deleted one nothing is sent
        Assert.Equal(
            ["/hook/some wallet.exhausted", "/hook/some wallet.frozen", "/hook/some window.opened"],
            _listener.All.Select(one => $"{one.Path} {one.Type}").Order());
    }

    /// <returns>How many requests it had open at one time.</returns>
    static Func<int> AnswerNobody(WebhookListener dead)
    {
        var (open, most) = (0, 0);
        var gate = new Lock();
        dead.Answer = async (_, http) =>
        {
            lock (gate)
                most = Math.Max(most, ++open);
            await Task.Delay(Timeout.Infinite, http.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            lock (gate)
                open--;
        };
        return () => most;
    }
}
