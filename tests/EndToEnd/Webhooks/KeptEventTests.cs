namespace LlmGateway.EndToEnd;

/// <summary>What is kept of events and deliveries: the bytes, what a replay sends, pages of a list, until its time is over.</summary>
public sealed class KeptEventTests : OnOwnWebhooks
{
    /// <summary>Another version may have serialised it otherwise; receivers verify bytes.</summary>
    [Fact]
    public async Task What_is_sent_is_what_was_kept_whoever_has_serialised_it()
    {
        var (_, secret) = await _webhooks.AddEndpointAsync(_listener.Url);
        var customer = await _webhooks.TellAsync(1);
        const string Kept = """{ "type":"wallet.credited","id":"evt_x",  "data":{"name":"\u00fc ü €","customerId":"c"}, "sequence":1.0 }""";
        await _webhooks.RunAsync("update event set body = $1 where subject = $2", Kept, customer);
        _listener.AnswerWith(500);
        await _webhooks.AddWorkerAsync();
        await _listener.ToldAsync(1);
        _listener.AnswerWith(200);
        (await _webhooks.PostAsync("/internal/deliveries/now")).MustBe(200);
        await _webhooks.BecomesAsync("1 1");

        Assert.All(_listener.All, told => Assert.Equal(Kept, told.Body));
        Assert.All(_listener.All, told => Assert.Contains(
            $"v1={Convert.ToHexStringLower(System.Security.Cryptography.HMACSHA256.HashData(
                System.Text.Encoding.UTF8.GetBytes(secret),
                System.Text.Encoding.UTF8.GetBytes($"{told.Headers["webhook-timestamp"]}.{Kept}")))}",
            told.Headers["X-LLMGateway-Signature"]));
    }

    [Fact]
    public async Task A_replay_sends_everything_since_then_in_its_order_with_the_ids_and_bytes_that_it_had()
    {
        var customer = await _webhooks.TellAsync(3); // before there was an endpoint
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        await _webhooks.AddWorkerAsync();
        await _webhooks.TellAsync(2, customer, first: 4);
        var before = await _listener.ToldAsync(2);
        await _webhooks.BecomesAsync("2 1");

        var since = DateTimeOffset.UtcNow.AddDays(-30).AddMinutes(1).ToString("o");
        var replay = (await _webhooks.PostAsync($"/v1/webhooks/{endpoint}/replay", $$"""{"since":"{{since}}"}""")).MustBe(202);

        Assert.Equal("""{"queued":5,"next":null}""", replay.Text);
        var told = (await _listener.ToldAsync(7)).Skip(2).ToList();
        Assert.Equal([1, 2, 3, 4, 5], told.Select(one => one.Sequence));
        Assert.Equal(before.Select(one => (one.Id, one.Body)), told.Skip(3).Select(one => (one.Id, one.Body)));
        await _webhooks.BecomesAsync("5 1");
    }

    [Fact]
    public async Task A_replay_reads_the_events_of_its_project_alone()
    {
        await _webhooks.RunAsync("""
            insert into event (id, subject, sequence, project, test, type, created, body)
            select gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), false, 'wallet.credited', now(), '{}'
            from generate_series(1, 5000)
            """);
        await _webhooks.RunAsync("analyze event");

        var plan = await _webhooks.RowsAsync("""
            explain select id from event where project = md5('another')::uuid and test = false and created >= now() - interval '30 days'
            """);

        Assert.Contains(plan, line => line.Contains("event_by_project", StringComparison.Ordinal));
    }

    /// <summary>They count in their endpoint, which is deleted with its count.</summary>
    [Fact]
    public async Task Tests_are_numbered_on_when_they_were_forgotten_and_leave_nothing_behind()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        await _webhooks.TellAsync(1);
        for (var i = 0; i < 2; i++)
            (await _webhooks.PostAsync($"/v1/webhooks/{endpoint}/test")).MustBe(202);
        await _webhooks.RunAsync("delete from delivery");
        await _webhooks.RunAsync("delete from event");

        (await _webhooks.PostAsync($"/v1/webhooks/{endpoint}/test")).MustBe(202);

        Assert.Equal(["3"], await _webhooks.RowsAsync("select sequence from event"));
        Assert.Equal(["1"], await _webhooks.RowsAsync("select until from forgotten")); // of the customer
    }

    [Fact]
    public async Task What_waits_longer_than_events_are_kept_expires_and_is_listed_as_that()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        (await _webhooks.PatchAsync($"/v1/webhooks/{endpoint}", """{"status":"disabled"}""")).MustBe(200);
        await _webhooks.TellAsync(2);
        await _webhooks.RunAsync("""
            update delivery set created = created - interval '30 days 1 minute', next_at = next_at - interval '30 days 1 minute'
            where sequence = 1
            """);

        await _webhooks.Expiries.ExpireAsync(Token);

        var deliveries = (await _webhooks.GetAsync($"/v1/webhooks/{endpoint}/deliveries")).MustBe(200).Json.Items("deliveries").ToList();
        Assert.Equal([(2, "pending"), (1, "expired")], deliveries.Select(one => (one.Int("sequence"), one.Text("status"))));
    }

    [Fact]
    public async Task What_is_put_back_late_has_all_its_tries_although_it_has_waited_for_long()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        _listener.AnswerWith(500);
        await _webhooks.TellAsync(1);
        await _webhooks.RunAsync(
            "update delivery set created = created - interval '31 days', state = 2, next_at = null, finished_at = now()");
        var id = Assert.Single((await _webhooks.GetAsync($"/v1/webhooks/{endpoint}/deliveries")).MustBe(200).Json.Items("deliveries"))
            .Text("id");

        (await _webhooks.PostAsync($"/v1/webhooks/{endpoint}/deliveries/{id}/retry")).MustBe(202);
        await _webhooks.AddWorkerAsync();
        await _listener.ToldAsync(1);
        await Eventually.HoldsAsync(
            async () => await _webhooks.RowsAsync("select count(*) from attempt") is ["1"], "the record of an attempt");
        await _webhooks.Expiries.ExpireAsync(Token);

        Assert.Equal(["0"], await _webhooks.RowsAsync("select state from delivery"));
    }

    [Fact]
    public async Task Deliveries_are_listed_page_by_page_the_newest_first()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        await _webhooks.TellAsync(5);

        var (pages, cursor) = (new List<int>(), "");
        do
        {
            var page = (await _webhooks.GetAsync($"/v1/webhooks/{endpoint}/deliveries?limit=2&cursor={cursor}")).MustBe(200).Json;
            pages.AddRange(page.Items("deliveries").Select(one => one.Int("sequence")));
            cursor = page.Text("nextCursor");
        }
        while (cursor is not null);

        Assert.Equal([5, 4, 3, 2, 1], pages);
    }
}
