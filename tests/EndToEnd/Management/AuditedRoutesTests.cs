namespace LlmGateway.EndToEnd;

/// <summary>Whatever a secret key changes is in the audit, in whichever service it is. The routes are the services' own tables.</summary>
public sealed class AuditedRoutesTests
{
    const string Code = "AUDITED-1";

    static readonly Backend App = Backend.Audited;

    /// <summary>Routes that change nothing which the audit has, and why.</summary>
    static readonly Dictionary<string, string> Not = new(StringComparer.Ordinal)
    {
        ["POST /v1/sessions/refresh"] = "an end user's visit",
        ["DELETE /v1/sessions/{id}"] = "an end user's visit",
        ["POST /v1/customers/{id}/balances"] = "the ledger says who gave and took credits",
        ["POST /v1/wallets/{id}/credit"] = "the ledger says who moved money",
        ["POST /v1/wallets/{id}/debit"] = "the ledger says who moved money",
        ["POST /v1/wallets/{id}/refunds"] = "the refund says who asked for it, and the ledger what was moved",
        ["POST /v1/connect/payouts"] = "the payout says who asked for it, and the ledger what was moved",
        ["POST /v1/wallets/{id}/payment-method"] = "nothing is saved before the card's owner has said so at Stripe",
        ["POST /v1/wallet/top-up"] = "an end user's own",
        ["POST /v1/wallet/redeem"] = "an end user's own",
        ["POST /v1/wallet/payment-method"] = "an end user's own",
        ["DELETE /v1/wallet/payment-method"] = "an end user's own",
        ["PUT /v1/wallet/auto-top-up"] = "an end user's own",
        ["DELETE /v1/wallet/auto-top-up"] = "an end user's own",
        ["POST /v1/webhooks/{id}/test"] = "sends something; the list of deliveries has it",
        ["POST /v1/webhooks/{id}/deliveries/{deliveryId}/retry"] = "sends something again; the list of deliveries has it",
        ["POST /v1/webhooks/{id}/replay"] = "sends something again; the list of deliveries has it",
        ["POST /v1/providers/{id}/test"] = "asks a provider, and changes nothing",
        ["POST /v1/members/me/tokens"] = "a member's own, and no key's: MemberTests.cs",
        ["DELETE /v1/members/me/tokens"] = "a member's own, and no key's: MemberTests.cs",
    };

    /// <param name="Keeps">What the id in the answer is used for: the pattern before a parameter, or the parameter's name.</param>
    sealed record Step(string Route, string Body, string Action, string? Keeps = null);

    static readonly Step[] Steps =
    [
        new("POST /v1/sessions", """{"customer":"audited-1"}""", "customer.created"),
        new("POST /v1/customers", """{"externalId":"audited-2"}""", "customer.created", "/v1/customers/"),
        new("PATCH /v1/customers/{id}", """{"name":"Ada"}""", "customer.changed"),
        new("POST /v1/customers/{id}/keys", """{"name":"n8n"}""", "key.created", "keyId"),
        new("POST /v1/customers/{id}/keys/{keyId}/rotate", "{}", "key.rotated"),
        new("DELETE /v1/customers/{id}/keys/{keyId}", "", "key.revoked"),
        new("PUT /v1/customers/{id}/limits", """[{"id":"daily","unit":"requests","amount":9,"cycle":"day"}]""", "limit.created"),
        new("POST /v1/customers/{id}/limits/{limitId}/raise", """{"amount":10,"cycles":1}""", "limit_raise.created"),
        new("PUT /v1/customers/{id}/rates", """{"requestsPerMinute":5}""", "customer.changed"),
        new("PUT /v1/projects/{id}", """{"lowBalance":"0.5"}""", "project.changed"),
        new("PUT /v1/branding", """{"name":"Acme"}""", "project.changed"),
        new("DELETE /v1/branding", "", "project.changed"),
        new("PUT /v1/providers/{id}", """{"wire":"openai","baseUrl":"https://api.example.com/v1"}""", "provider.created"),
        new(
            "PUT /v1/models/{id}",
            """{"provider":"audited","contextTokens":9,"maxOutputTokens":9,"prices":{"input":"1","output":"1"}}""", "model.created"),
        new("DELETE /v1/models/{id}", "", "model_provider.deleted"),
        new("PUT /v1/routes/{id}", """{"path":"/audited","provider":"audited"}""", "route.created"),
        new("DELETE /v1/routes/{id}", "", "route.deleted"),
        new("DELETE /v1/providers/{id}", "", "provider.deleted"),
        new("PUT /v1/plans/{id}", """{"name":"Mine","price":"1"}""", "plan.created"),
        new("DELETE /v1/plans/{id}", "", "plan.deleted"),
        new("POST /v1/secret-keys", """{"name":"other"}""", "secret_key.created", "/v1/secret-keys/"),
        new("DELETE /v1/secret-keys/{id}", "", "secret_key.revoked"),
        new("POST /v1/members", """{"email":"ada@example.com","role":"member"}""", "member.created", "/v1/members/"),
        new("PATCH /v1/members/{id}", """{"role":"billing"}""", "member.changed"),
        new("POST /v1/members/{id}/tokens", "{}", "member_token.created"),
        new("DELETE /v1/members/{id}/tokens", "", "member_token.revoked"),
        new("DELETE /v1/members/{id}", "", "member.removed"),
        new("POST /v1/wallets/{id}/freeze", "{}", "wallet.frozen"),
        new("POST /v1/wallets/{id}/unfreeze", "{}", "wallet.unfrozen"),
        new("PUT /v1/wallets/{id}/auto-top-up", """{"below":"1","amount":"10","monthlyCeiling":"100"}""", "auto_top_up.created"),
        new("PUT /v1/wallets/{id}/auto-top-up", """{"below":"1","amount":"10","monthlyCeiling":"200"}""", "auto_top_up.changed"),
        new("DELETE /v1/wallets/{id}/auto-top-up", "", "auto_top_up.deleted"),
        new("DELETE /v1/wallets/{id}/payment-method", "", "payment_method.deleted"),
        new(
            "POST /v1/promotions", $$"""{"code":"{{Code}}","amount":"1","maxRedemptions":1}""", "promotion.created", "/v1/promotions/"),
        new("DELETE /v1/promotions/{id}", "", "promotion.ended"),
        new(
            "POST /v1/connect/onboard", """{"refreshUrl":"https://example.com/again","returnUrl":"https://example.com/done"}""",
            "connect_account.page_made"),
        new("PUT /v1/connect/automatic", """{"threshold":"5"}""", "automatic_payout.created"),
        new("PUT /v1/connect/automatic", """{"threshold":null}""", "automatic_payout.deleted"),
        new("PUT /v1/invoices/seller", """{"name":"Acme GmbH","address":"Street 1"}""", "seller.changed"),
        new("POST /v1/invoices/{id}/void", """{"reason":"wrong seller"}""", "invoice.voided"),
        new("PUT /v1/alerts", """{"email":"ops@example.com"}""", "alert.created"),
        new("PUT /v1/alerts", """{"email":"ops@example.com","events":["dispute.opened"]}""", "alert.changed"),
        new("DELETE /v1/alerts", "", "alert.deleted"),
        new("POST /v1/webhooks", """{"url":"http://127.0.0.1:9/hook"}""", "webhook.created", "/v1/webhooks/"),
        new("PATCH /v1/webhooks/{id}", """{"url":"http://127.0.0.1:9/other","status":"disabled"}""", "webhook.changed"),
        new("POST /v1/webhooks/{id}/rotate-secret", "{}", "webhook.secret_rotated"),
        new("POST /v1/webhooks/{id}/end-rotation", "", "webhook.rotation_ended"),
        new("DELETE /v1/webhooks/{id}", "", "webhook.deleted"),
        new("DELETE /v1/customers/{id}", "", "customer.deleted"),
    ];

    [Fact]
    public void Every_route_that_is_no_question_is_called_here_or_says_why_not() => Assert.Equal(
        ManagementRoutes.All.Where(route => !route.StartsWith("GET ", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
        Steps.Select(step => step.Route).Distinct().Concat(Not.Keys).Order(StringComparer.Ordinal));

    [Fact]
    public async Task What_a_key_changes_by_any_route_is_there_with_the_key_and_the_call_and_without_secrets()
    {
        var ids = await FillAsync();
        var key = (await App.PostAsync("/v1/secret-keys", """{"name":"whose changes these are"}""")).MustBe(201).Json;
        var (calls, secrets) = (new List<(string Request, string Action)>(), new List<string> { Code });
        foreach (var step in Steps)
        {
            var reply = await ManagementRoutes.CallAsync(
                step.Route, key.Text("key"), (before, name) => ids.GetValueOrDefault(before) ?? ids[name], step.Body);
            Assert.True(reply.Status is >= 200 and < 300, $"{step.Route}: {reply}");
            calls.Add((reply["X-Request-Id"]!, step.Action));
            if (step.Keeps is { } parameter)
                ids[parameter] = reply.Json.Text("id");
            if (reply.Text.StartsWith('{'))
                secrets.AddRange(reply.Json.EnumerateObject()
                    .Where(member => member.Name is "key" or "secret" or "token").Select(member => member.Value.GetString()!));
        }

        var entries = await Eventually.GetAsync(
            async () => (await App.GetAsync($"/v1/audit?limit=200&actor={key.Text("id")}")).MustBe(200).Json.Items("entries").ToList(),
            found => calls.All(call => found.Exists(entry => entry.Text("requestId") == call.Request)),
            "an entry of every call", AuditTests.Patience);

        Assert.Empty(calls.Except(entries.Select(entry => (entry.Text("requestId"), entry.Text("action")))));
        var all = string.Concat(entries.Select(entry => entry.GetRawText()));
        Assert.True(secrets.Count >= 5, $"only {secrets.Count} secrets were shown");
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, all));
        // As the ledger has named the key until now.
        var named = (await App.GetAsync($"/v1/audit?limit=200&actor=secret-key:{key.Text("id")["skey_".Length..]}")).MustBe(200);
        Assert.Equal(entries.Count, named.Json.Items("entries").Count());
    }

    /// <summary>What the steps find: an invoice, a card, names.</summary>
    static async Task<Dictionary<string, string>> FillAsync()
    {
        (await App.PutAsync("/v1/invoices/seller", """{"name":"Nobody","address":"Street 1"}""")).MustBe(200);
        var purchase = await Purchase.BeginAsync(await App.NewUserAsync(credit: null), "10");
        (await purchase.PayAsync()).MustBe(200);
        await purchase.MustBecomeAsync("succeeded");
        var card = await SavedCard.SaveAsync(await App.NewUserAsync("2"));
        var invoice = await Eventually.GetAsync(
            async () => (await App.GetAsync($"/v1/invoices?customer={purchase.User.CustomerId}")).MustBe(200).Json.Items("invoices")
                .Select(one => one.Text("id")).FirstOrDefault(),
            id => id is not null, "an invoice");
        return new(StringComparer.Ordinal)
        {
            ["/v1/invoices/"] = invoice!,
            ["/v1/wallets/"] = card.User.WalletId,
            ["/v1/projects/"] = (await App.GetAsync("/v1/projects")).MustBe(200).Json.Items("projects").Single().Text("id"),
            ["/v1/providers/"] = "audited", ["/v1/models/"] = "audited", ["/v1/routes/"] = "audited", ["/v1/plans/"] = "audited",
            ["limitId"] = "daily",
        };
    }
}
