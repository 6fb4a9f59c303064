using System.Text.Json;
using LlmGateway.Contracts;
using LlmGateway.ServiceDefaults;
using LlmGateway.Webhooks;

namespace LlmGateway.EndToEnd;

/// <summary>Deliveries as states and attempts as rows: when something is tried, when it is given up, and what its owner can do.</summary>
public sealed class DeliveryTests : OnOwnWebhooks
{
    [Fact]
    public async Task An_attempt_says_when_how_long_where_what_came_back_and_when_the_next_one_is()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        _listener.AnswerWith(500, new string('x', 4_000) + "\0" + new string('y', 1_000));
        await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();

        var delivery = await TriedAsync(endpoint, 1);

        var told = Assert.Single(_listener.All);
        Assert.Equal(
            ("pending", told.Id, "wallet.credited", 1L),
            (delivery.Text("status"), delivery.Text("eventId"), delivery.Text("type"), delivery.GetProperty("sequence").GetInt64()));
        var attempt = delivery.GetProperty("attempts")[0];
        Assert.Equal((1, 500, "127.0.0.1"), (attempt.Int("number"), attempt.Int("status"), attempt.Text("address")));
        Assert.Equal(new string('x', 4_000) + "\uFFFD" + new string('y', 95), attempt.Text("answer"));
        Assert.Null(attempt.Text("error"));
        Assert.InRange(attempt.Int("latencyMs"), 0, 15_000);
        var wait = attempt.GetProperty("nextAt").GetDateTimeOffset() - attempt.GetProperty("at").GetDateTimeOffset();
        Assert.InRange(wait.TotalSeconds, 4, 6 + attempt.Int("latencyMs") / 1000d + 1);
        Assert.Equal(delivery.GetProperty("nextAt").GetDateTimeOffset(), attempt.GetProperty("nextAt").GetDateTimeOffset());
    }

    [Fact]
    public async Task After_ten_tries_it_has_failed_and_its_owner_or_an_operator_may_begin_anew()
    {
        var (endpoint, secret) = await _webhooks.AddEndpointAsync(_listener.Url);
        _listener.AnswerWith(503);
        await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();
        for (var tries = 1; tries < 10; tries++)
        {
            await TriedAsync(endpoint, tries);
            (await _webhooks.PostAsync("/internal/deliveries/now")).MustBe(200);
        }

        var failed = await TriedAsync(endpoint, 10);

        Assert.Equal(("failed", null), (failed.Text("status"), failed.Text("nextAt")));
        Assert.Null(failed.GetProperty("attempts")[9].Text("nextAt"));
        Assert.Equal("""{"moved":0}""", (await _webhooks.PostAsync("/internal/deliveries/now")).MustBe(200).Text);
        var listed = (await _webhooks.GetAsync($"/v1/webhooks/{endpoint}/deliveries?status=failed")).MustBe(200).Json;
        Assert.Equal(failed.Text("id"), Assert.Single(listed.Items("deliveries")).Text("id"));

        var again = (await _webhooks.PostAsync($"/v1/webhooks/{endpoint}/deliveries/{failed.Text("id")}/retry")).MustBe(202).Json;
        Assert.Equal("pending", again.Text("status"));
        await TriedAsync(endpoint, 11);
        await _webhooks.RunAsync("update delivery set tries = 9");
        (await _webhooks.PostAsync("/internal/deliveries/now")).MustBe(200);
        await _webhooks.BecomesAsync("1 2");
        _listener.AnswerWith(204);
        await _webhooks.RunAsync("update endpoint set paused_until = '-infinity'");
        Assert.Equal("""{"moved":1}""", (await _webhooks.PostAsync("/internal/dead-letters/replay")).MustBe(200).Text);
        await _webhooks.BecomesAsync("1 1");

        Assert.Single(_listener.All.Select(told => (told.Id, told.Body)).Distinct());
        Assert.All(_listener.All, told => Assert.True(told.IsSignedWith(secret)));
        Assert.Equal([$"{_listener.All.Count}"], await _webhooks.RowsAsync("select count(*) from attempt"));
    }

    [Fact]
    public async Task A_receiver_that_asks_for_patience_gets_it_for_everything_that_waits()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        _listener.AnswerWith(429, "", ("Retry-After", "3600"));
        await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();
        var first = await TriedAsync(endpoint, 1);
        var attempt = first.GetProperty("attempts")[0];
        Assert.InRange(
            (attempt.GetProperty("nextAt").GetDateTimeOffset() - attempt.GetProperty("at").GetDateTimeOffset()).TotalSeconds, 3600, 3700);

        await _webhooks.TellAsync(3);
        var (_, _) = await _webhooks.AddEndpointAsync(_listener.Url + "/other"); // is told, which shows that the worker has looked
        await _webhooks.TellAsync(1);
        await Eventually.HoldsAsync(
            () => Task.FromResult(_listener.All.Any(told => told.Path == "/hook/other")), "the telling of the other endpoint");

        Assert.Single(_listener.All, told => told.Path == "/hook");
        Assert.Equal(["4"], await _webhooks.RowsAsync("select count(*) from delivery where attempts = 0"));
    }

    [Fact]
    public async Task A_success_that_was_on_its_way_ends_no_patience_that_was_asked_for_meanwhile()
    {
        await _webhooks.AddEndpointAsync(_listener.Url);
        var asked = 0;
        _listener.Answer = async (_, http) =>
        {
            if (Interlocked.Increment(ref asked) == 1)
            {
                // The other one is here, too: it was begun before.
                await Eventually.HoldsAsync(() => Task.FromResult(Volatile.Read(ref asked) == 2), "two requests");
                http.Response.StatusCode = 429;
                http.Response.Headers.RetryAfter = "3600";
                return;
            }
            await Eventually.HoldsAsync(
                async () => await _webhooks.RowsAsync("select failures from endpoint") is ["1"], "the record of the other one");
        };
        await _webhooks.TellAsync(1);
        await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();

        await Eventually.HoldsAsync(
            async () => await _webhooks.RowsAsync("select count(*) from attempt") is ["2"], "the records of both");

        Assert.Equal(["0 True"], await _webhooks.RowsAsync("select failures, paused_until > now() from endpoint"));
    }

    [Theory]
    [InlineData("999999999")]
    [InlineData("Fri, 31 Dec 2100 23:59:59 GMT")]
    public async Task A_receiver_may_ask_for_a_day_at_most(string retryAfter)
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        _listener.AnswerWith(500, "", ("Retry-After", retryAfter));
        await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();

        var attempt = (await TriedAsync(endpoint, 1)).GetProperty("attempts")[0];

        Assert.InRange(
            (attempt.GetProperty("nextAt").GetDateTimeOffset() - attempt.GetProperty("at").GetDateTimeOffset()).TotalHours, 24, 24.1);
    }

    [Theory]
    [InlineData(301), InlineData(302), InlineData(307), InlineData(308)]
    public async Task A_redirect_is_a_failure_and_is_not_followed(int status)
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        _listener.AnswerWith(status, "", ("Location", _listener.Url + "/elsewhere"), ("Refresh", $"0; url={_listener.Url}/elsewhere"));
        await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();

        var delivery = await TriedAsync(endpoint, 1);

        Assert.Equal(status, delivery.GetProperty("attempts")[0].Int("status"));
        Assert.Equal("/hook", Assert.Single(_listener.All).Path);
    }

    /// <summary>An address that was good when it was registered, and is not any more.</summary>
    [Fact]
    public async Task An_address_that_is_not_public_is_not_connected_to_and_the_log_says_no_more()
    {
        await using var deployed = await OwnWebhooks.StartAsync(privateHosts: "");
        (await deployed.PostAsync("/v1/webhooks", $$"""{"url":"{{_listener.Url}}"}""")).MustBeProblem(400, "invalid_value", "url");
        var endpoint = Ids.New();
        await deployed.RunAsync(
            "insert into endpoint (id, organization, project, test, url) values ($1, $2, $3, false, $4)",
            endpoint, deployed.Caller.Organization, deployed.Caller.Project, _listener.Url);
        await using (var connection = await deployed.Database.OpenConnectionAsync(Token))
            await deployed.Secrets.AddAsync(connection, endpoint, endpoint, Token);
        await deployed.TellAsync(1);
        await deployed.AddWorkerAsync();

        var row = await Eventually.GetAsync(
            () => deployed.RowsAsync("select error, status, address, answer from attempt"), rows => rows.Count == 1, "the attempt");

        Assert.Equal(["address_not_public null null null"], row);
        Assert.Empty(_listener.All);
    }

    [Fact]
    public async Task A_receiver_that_fails_is_left_alone_for_a_while_and_then_probed_with_one_request()
    {
        await _webhooks.AddEndpointAsync(_listener.Url);
        _listener.AnswerWith(500);
        for (var i = 0; i < 30; i++)
            await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();

        await PausesAsync();

        // One request more for each that was under way when the fifth had failed.
        var asked = _listener.All.Count;
        Assert.InRange(asked, 5, 12);
        Assert.Equal([$"{asked} {asked}"], await _webhooks.RowsAsync("select (select count(*) from attempt), failures from endpoint"));

        await _webhooks.RunAsync("update endpoint set paused_until = '-infinity'");
        await PausesAsync();
        Assert.Equal(asked + 1, _listener.All.Count);

        _listener.AnswerWith(200);
        (await _webhooks.PostAsync("/internal/deliveries/now")).MustBe(200);
        await _webhooks.BecomesAsync("30 1");
        Assert.Equal(["0 null"], await _webhooks.RowsAsync("select failures, failing_since from endpoint"));
    }

    [Fact]
    public async Task What_has_only_failed_for_five_days_is_disabled_and_what_waits_is_sent_when_it_is_active_again()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        _listener.AnswerWith(500);
        await _webhooks.RunAsync("update endpoint set failures = 9, failing_since = now() - interval '5 days 1 minute'");
        await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();

        var view = await Eventually.GetAsync(
            async () => (await _webhooks.GetAsync($"/v1/webhooks/{endpoint}")).MustBe(200).Json,
            view => view.Text("status") == "disabled", "the disabling");

        Assert.Equal("failing", view.Text("disabledReason"));
        Assert.NotNull(view.Text("disabledAt"));
        await _webhooks.TellAsync(2);
        _listener.AnswerWith(200);
        var active = (await _webhooks.PatchAsync($"/v1/webhooks/{endpoint}", """{"status":"active"}""")).MustBe(200).Json;
        Assert.Equal(("active", null, null), (active.Text("status"), active.Text("disabledReason"), active.Text("disabledAt")));
        await _webhooks.BecomesAsync("3 1");
    }

    /// <summary>An attempt holds its delivery and then wants the endpoint: who holds the endpoint must not want the delivery.</summary>
    [Fact]
    public async Task An_endpoint_becomes_active_whatever_happens_to_its_deliveries_and_what_was_tried_is_sent_in_its_place()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        await _webhooks.TellAsync(3);
        await _webhooks.RunAsync("update delivery set tries = 7, next_at = now() + interval '20 hours' where sequence = 1");
        (await _webhooks.PatchAsync($"/v1/webhooks/{endpoint}", """{"status":"disabled"}""")).MustBe(200);
        await using (var connection = await _webhooks.Database.OpenConnectionAsync(Token))
        await using (var attempt = await connection.BeginTransactionAsync(Token))
        {
            await using var held = connection.Sql("select from delivery for update");
            await held.ExecuteNonQueryAsync(Token);

            (await _webhooks.PatchAsync($"/v1/webhooks/{endpoint}", """{"status":"active"}""").WaitAsync(Eventually.Usual, Token))
                .MustBe(200);
        }
        await _webhooks.AddWorkerAsync();

        await _webhooks.BecomesAsync("3 1");

        Assert.Equal([1, 2, 3], _listener.All.Select(told => told.Sequence));
        Assert.Equal(["1", "1", "1"], await _webhooks.RowsAsync("select tries from delivery"));
        Assert.Equal(["False"], await _webhooks.RowsAsync("select begins_anew from endpoint"));
    }

    [Fact]
    public async Task More_than_one_round_of_what_was_tried_begins_anew()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        await _webhooks.TellAsync(1);
        await _webhooks.RunAsync("""
            with told as (
                insert into event (id, subject, sequence, project, test, type, created, body)
                select gen_random_uuid(), subject, n, project, test, type, created, body from event, generate_series(2, 2500) n
                returning id, subject, sequence)
            insert into delivery (event, endpoint, subject, sequence, tries, next_at)
            select id, $1, subject, sequence, 3, now() + interval '5 hours' from told
            """, EndpointView.Parse(endpoint)!.Value);
        (await _webhooks.PatchAsync($"/v1/webhooks/{endpoint}", """{"status":"active"}""")).MustBe(200);

        await _webhooks.AddWorkerAsync();

        await _webhooks.BecomesAsync("2500 1", TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task A_receiver_that_says_it_is_gone_is_asked_no_more()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url);
        _listener.AnswerWith(410);
        await _webhooks.TellAsync(1);
        await _webhooks.AddWorkerAsync();

        var view = await Eventually.GetAsync(
            async () => (await _webhooks.GetAsync($"/v1/webhooks/{endpoint}")).MustBe(200).Json,
            view => view.Text("status") == "disabled", "the disabling");

        Assert.Equal("gone", view.Text("disabledReason"));
        Assert.Equal("pending", (await TriedAsync(endpoint, 1)).Text("status"));
    }

    [Fact]
    public async Task An_endpoint_that_is_disabled_is_told_once_to_the_others_of_its_project()
    {
        var (endpoint, _) = await _webhooks.AddEndpointAsync(_listener.Url + "/gone?token=secret");
        _listener.AnswerWith(410);
        await _webhooks.TellAsync(20);
        await _webhooks.AddWorkerAsync();
        await Eventually.HoldsAsync(
            async () => (await _webhooks.GetAsync($"/v1/webhooks/{endpoint}")).MustBe(200).Json.Text("status") == "disabled",
            "the disabling");

        // What the relay would publish; its consumer is called by hand.
        var told = JsonSerializer.Deserialize<PublicEvent>(
            Assert.Single(await _webhooks.RowsAsync("select body from outbox_message where subject is not null")), Defaults.Json)!;
        _listener.AnswerWith(200);
        await _webhooks.AddEndpointAsync(_listener.Url + "/other");
        await _webhooks.KeepAsync(told);
        await _webhooks.KeepAsync(told);

        var arrived = (await Eventually.GetAsync(
            () => Task.FromResult(_listener.All.Where(one => one.Path == "/hook/other").ToList()), all => all.Count > 0, "the event"))
            .Single();
        Assert.Equal(("webhook_endpoint.disabled", 1L), (arrived.Type, arrived.Sequence));
        var data = arrived.Event.GetProperty("data");
        Assert.Equal(
            (endpoint, "gone", new Uri(_listener.Url).Authority), (data.Text("endpointId"), data.Text("reason"), data.Text("host")));
        Assert.DoesNotContain("secret", told.Data, StringComparison.Ordinal);
        Assert.Equal(
            ["0"],
            await _webhooks.RowsAsync(
                "select count(*) from delivery where endpoint = $1 and event = $2", EndpointView.Parse(endpoint)!.Value, told.Id));
    }

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

    Task PausesAsync() => Eventually.HoldsAsync(
        async () => await _webhooks.RowsAsync(
            "select paused_until > now() + interval '10 seconds' and holder is null from endpoint") is ["True"],
        "the pause");

    /// <summary>The endpoint's only delivery, once it has had so many attempts.</summary>
    async Task<JsonElement> TriedAsync(string endpoint, int attempts) => await Eventually.GetAsync(
        async () => (await _webhooks.GetAsync($"/v1/webhooks/{endpoint}/deliveries")).MustBe(200).Json.GetProperty("deliveries")[0],
        delivery => delivery.GetProperty("attempts").GetArrayLength() >= attempts, $"{attempts} attempts");
}
