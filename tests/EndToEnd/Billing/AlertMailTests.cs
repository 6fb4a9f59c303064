using System.Text.Json;
using LlmGateway.Contracts;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>What happens to wallets, as mail to a project's address, which the sandbox catches.</summary>
public sealed class AlertMailTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_wallet_that_runs_low_and_then_dry_is_told_by_one_mail_each()
    {
        var to = await TellAsync(Backend.App);
        var user = await Backend.App.NewUserAsync("3");

        await SpendAsync(user, "2.5"); // the project's low mark is 1
        await SpendAsync(user, "0.2");
        await SpendAsync(user, "0.3");

        var mails = await MailsAsync(to, 2, mail => mail.Text("text").Contains(user.CustomerId, StringComparison.Ordinal));
        Assert.Equal(
            [$"A wallet is below its low mark: {user.CustomerId}", $"A wallet is empty: {user.CustomerId}"],
            mails.Select(mail => mail.Text("subject")).Order());
        Assert.All(mails, mail => Assert.Equal("gateway@sandbox.example", mail.Text("from")));
    }

    [Fact]
    public async Task An_event_that_arrives_twenty_times_is_mailed_once_and_what_was_not_asked_for_is_not()
    {
        var to = await TellAsync(Backend.Other, "dispute.opened");
        var project = await ProjectAsync(to);
        var (told, last) = (Event(project, "dispute.opened", 1), Event(project, "dispute.opened", 3));

        foreach (var one in (PublicEvent[])[.. Enumerable.Repeat(told, 20), Event(project, "dispute.closed", 2), last])
            await PublishAsync(one);

        await MailsAsync(to, 2);
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync("billing", "select count(*) from outbox_message where subject = $1", told.Subject) == 0,
            "that all were published");
        Assert.Equal(
            2, await Purchase.NumberAsync("billing", "select count(*) from mail where recipient = $1 and status = 'sent'", to));
        Assert.Equal(2, (await MailsAsync(to, 2)).Select(mail => mail.Text("messageId")).Distinct().Count());
        Assert.Equal(2, (await MailsAsync(to, 2)).Length);
    }

    [Fact]
    public async Task An_endpoint_of_webhooks_that_is_gone_is_mailed_once()
    {
        await using var listener = await WebhookListener.StartAsync();
        listener.AnswerWith(410);
        var to = await TellAsync(Backend.Wires, "webhook_endpoint.disabled");
        var json = $$"""{"url":"{{listener.Url}}","enabledEvents":["dispute.closed"]}""";
        var endpoint = (await Backend.Wires.PostAsync("/v1/webhooks", json)).MustBe(201).Json.Text("id");

        (await Backend.Wires.PostAsync($"/v1/webhooks/{endpoint}/test", "{}")).MustBe(202);

        var mail = Assert.Single(await MailsAsync(to, 1));
        Assert.Equal($"A webhook endpoint is disabled, and what happens waits for it: {endpoint}", mail.Text("subject"));
        Assert.Contains("reason: gone", mail.Text("text"));
        (await Backend.Wires.DeleteAsync($"/v1/webhooks/{endpoint}")).MustBe(200);
    }

    [Fact]
    public async Task What_the_server_refuses_is_given_up_and_what_it_does_not_take_now_waits()
    {
        foreach (var (name, status) in ((string, string)[])[("refused", "failed"), ("busy", "waiting")])
        {
            var to = await TellAsync(Backend.Other, "wallet.exhausted", name);
            var user = await Backend.Other.NewUserAsync("1");
            await SpendAsync(user, "1");

            await Eventually.HoldsAsync(
                async () => await Purchase.NumberAsync(
                    "billing",
                    "select count(*) from mail where recipient = $1 and status = $2 and attempts = 1 and reason is not null",
                    to, status) == 1,
                $"a mail that is {status}");
        }
    }

    [Fact]
    public async Task A_mail_that_cannot_be_written_down_keeps_none_behind_it_waiting()
    {
        var good = $"good-{Guid.NewGuid():N}@example.com";
        await using (var database = NpgsqlDataSource.Create(Stack.Connection("billing")))
        await using (var insert = database.CreateCommand("""
            insert into mail (id, recipient, subject, body, next_at)
            select gen_random_uuid(), case n when 20 then $1 else 'a..b@example.com' end, 's', 'b',
                now() - interval '1 hour' + n * interval '1 ms'
            from generate_series(1, 20) n
            """))
        {
            insert.Parameters.Add(new() { Value = good });
            await insert.ExecuteNonQueryAsync(Token);
        }

        await MailsAsync(good, 1);

        Assert.Equal(1, await Purchase.NumberAsync("billing", "select attempts::bigint from mail where recipient = $1", good));
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync(
                "billing", "select count(*) from mail where recipient = 'a..b@example.com' and status = 'failed' and $1 <> ''", good) == 19,
            "that the others are given up");
    }

    [Fact]
    public async Task Of_one_project_so_many_are_mailed_in_an_hour_and_the_last_one_says_so()
    {
        var to = await TellAsync(Backend.Queries, "dispute.opened");
        var project = await ProjectAsync(to);
        await using (var database = NpgsqlDataSource.Create(Stack.Connection("billing")))
        await using (var insert = database.CreateCommand("""
            insert into mail (id, recipient, subject, body, project, test, status)
            select gen_random_uuid(), $1, 's', 'b', $2, false, 'sent' from generate_series(2, 60)
            """))
        {
            insert.Parameters.Add(new() { Value = to });
            insert.Parameters.Add(new() { Value = project });
            await insert.ExecuteNonQueryAsync(Token);
        }

        for (var i = 1; i <= 3; i++)
            await PublishAsync(Event(project, "dispute.opened", i));
        var last = Assert.Single(await MailsAsync(to, 1));
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync("billing", "select count(*) from outbox_message where subject = $1", Subject) == 0,
            "that all were published");

        Assert.Contains("60th mail within an hour", last.Text("text"));
        Assert.Equal(60, await Purchase.NumberAsync("billing", "select count(*) from mail where recipient = $1", to));
    }

    [Fact]
    public async Task Who_is_told_what_can_be_read_and_ended_and_what_cannot_be_mailed_is_refused_by_name()
    {
        var to = await TellAsync(Backend.KeysOnly, "dispute.opened");

        var shown = (await Backend.KeysOnly.GetAsync("/v1/alerts")).MustBe(200).Json;
        Assert.Equal((to, "dispute.opened"), (shown.Text("email"), Assert.Single(shown.Items("events")).GetString()));
        Assert.Equal(404, (await Backend.TestWorld.GetAsync("/v1/alerts")).Status);
        (await Backend.KeysOnly.PutAsync("/v1/alerts", """{"email":"nobody"}""")).MustBeProblem(400, "invalid_value", "email");
        (await Backend.KeysOnly.PutAsync("/v1/alerts", """{"email":"a@example.com","events":["wallet.tired"]}"""))
            .MustBeProblem(400, "invalid_value", "events");
        Assert.Equal(204, (await Backend.KeysOnly.DeleteAsync("/v1/alerts")).Status);
        Assert.Equal(404, (await Backend.KeysOnly.GetAsync("/v1/alerts")).Status);
        var user = await Backend.App.NewUserAsync();
        Assert.Equal(401, (await Gateway.SendAsync("PUT", "/v1/alerts", user.Token, """{"email":"a@example.com"}""")).Status);
    }

    /// <summary>An address that no other test has.</summary>
    static async Task<string> TellAsync(Backend backend, string? type = null, string name = "ops")
    {
        var to = $"{name}-{Guid.NewGuid():N}@example.com";
        var events = type is null ? "" : $",\"events\":[\"{type}\"]";
        (await backend.PutAsync("/v1/alerts", $$"""{"email":"{{to}}"{{events}}}""")).MustBe(200);
        return to;
    }

    static async Task SpendAsync(User user, string usd) =>
        (await user.Backend.PostAsync($"/v1/wallets/{user.WalletId}/debit", $$"""{"amount":"{{usd}}"}""")).MustBe(200);

    static Task<JsonElement[]> MailsAsync(string to, int count, Func<JsonElement, bool>? which = null) => Eventually.GetAsync(
        async () => (await Gateway.SendAsync("GET", $"/sandbox/mail?to={to}", at: Stack.Sandbox)).MustBe(200).Json.Items("mails")
            .Where(which ?? (_ => true)).ToArray(),
        mails => mails.Length >= count, $"{count} mails to {to}");

    static async Task<Guid> ProjectAsync(string to)
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));
        await using var query = database.CreateCommand("select project from alert where email = $1");
        query.Parameters.Add(new() { Value = to });
        return (Guid)(await query.ExecuteScalarAsync(Token))!;
    }

    static readonly Guid Subject = Guid.NewGuid();

    static PublicEvent Event(Guid project, string type, long sequence) => new(
        Guid.NewGuid(), type, DateTimeOffset.UtcNow, Subject, sequence, Guid.NewGuid(), project, false, "{\"disputeId\":\"dp_1\"}");

    /// <summary>As a service does that has decided it, and whose relay has died before it could note that it was published.</summary>
    static async Task PublishAsync(PublicEvent told)
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));
        await using var insert = database.CreateCommand(
            "insert into outbox_message (id, type, body, created_at, subject) values ($1, $2, $3::jsonb, now(), $4)");
        foreach (var value in (object[])
        [
            Guid.NewGuid(), typeof(PublicEvent).FullName!, JsonSerializer.Serialize(told, ServiceDefaults.Defaults.Json), told.Subject,
        ])
            insert.Parameters.Add(new() { Value = value });
        await insert.ExecuteNonQueryAsync(Token);
    }
}
