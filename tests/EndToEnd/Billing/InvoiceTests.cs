using System.Text.Json;
using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>Documents of what was paid and of what went back.</summary>
public sealed class InvoiceTests
{
    const string Seller = """
        {"name":"Acme GmbH","address":"Straße 1\n10115 Berlin","taxId":"DE123456789","timeZone":"Europe/Berlin"}
        """;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What the ledger has taken from Stripe for a customer, and given back, nano-dollars.</summary>
    internal static Task<long> ClearedAsync(User user) => Purchase.NumberAsync("wallet", """
        select -coalesce(sum(e.amount), 0)::bigint from entry e join account a on a.id = e.account
        where a.kind = 105 and e.transfer in (
            select transfer from entry join account on account.id = entry.account where owner = $1 and kind in (0, 108))
        """, user.Customer);

    internal static long SignedNanos(JsonElement document) =>
        (document.Text("kind") == "invoice" ? 1 : -1) * Gateway.Nanos(document.GetProperty("total"));

    [Fact]
    public async Task A_top_up_s_invoice_says_who_sold_what_to_whom_and_the_buyer_and_its_backend_alone_have_it()
    {
        await SayAsync(Backend.App);
        var purchase = await Purchase.PaidAsync();

        var listed = Assert.Single(await DocumentsAsync(purchase.User, 1));
        var invoice = (await Gateway.SendAsync("GET", $"/v1/invoices/{listed.Text("id")}", purchase.User.Token)).MustBe(200).Json;

        Assert.Equal(("invoice", "top_up", "10.5", "USD"),
            (invoice.Text("kind"), invoice.Text("reason"), invoice.Text("total"), invoice.Text("currency")));
        Assert.Matches("^INV-[0-9]{6,}$", invoice.Text("number"));
        Assert.Equal(("Acme GmbH", "DE123456789"),
            (invoice.GetProperty("seller").Text("name"), invoice.GetProperty("seller").Text("taxId")));
        Assert.Equal(
            (purchase.User.CustomerId, purchase.User.ExternalId),
            (invoice.GetProperty("buyer").Text("id"), invoice.GetProperty("buyer").Text("externalId")));
        Assert.Equal(
            ["Credit 10", "Service fee 0.5"],
            invoice.Items("lines").Select(line => $"{line.Text("description")} {line.Text("amount")}"));
        Assert.Equal(invoice.GetRawText(), (await Backend.App.GetAsync($"/v1/invoices/{listed.Text("id")}")).MustBe(200).Json.GetRawText());
        foreach (var stranger in (string[])
            [Backend.Other.Key, Backend.AppTest.Key, (await Backend.App.NewUserAsync(credit: null)).Token])
            Assert.Equal(404, (await Gateway.SendAsync("GET", $"/v1/invoices/{listed.Text("id")}", stranger)).Status);
    }

    [Fact]
    public async Task Its_taxes_are_those_that_Stripe_has_computed_and_it_has_none_where_Stripe_has_none()
    {
        await SayAsync(Backend.App);
        var (taxed, untaxed) = (await TaxedAsync(), await Purchase.PaidAsync());
        (await taxed.PayAsync()).MustBe(200);

        var invoice = Assert.Single(await DocumentsAsync(taxed.User, 1));
        var tax = Assert.Single(invoice.Items("taxes"));
        Assert.Equal(
            ("VAT DE", "19", "1.68", "standard_rated"), // 10.50 × 19 / 119
            (tax.Text("name"), tax.Text("percent"), tax.Text("amount"), tax.Text("reason")));
        Assert.Equal(("1.68", "10.5"), (invoice.Text("tax"), invoice.Text("total")));
        Assert.Empty(Assert.Single(await DocumentsAsync(untaxed.User, 1)).Items("taxes"));
    }

    [Fact]
    public async Task What_goes_back_takes_its_part_of_the_taxes_with_it_and_all_of_it_all_of_them()
    {
        await SayAsync(Backend.App);
        var purchase = await TaxedAsync();
        (await purchase.PayAsync()).MustBe(200);
        await purchase.MustHaveAsync("8.333333333");
        (await purchase.RefundAsync("\"amount\":\"3.15\"")).MustBe(201);
        (await purchase.RefundAsync("\"amount\":\"0.01\"")).MustBe(201);
        (await purchase.RefundAsync("")).MustBe(201);

        var documents = await DocumentsAsync(purchase.User, 4);

        Assert.Equal(
            ["credit_note 7.34 1.18", "credit_note 0.01 0", "credit_note 3.15 0.5", "invoice 10.5 1.68"],
            documents.Select(one => $"{one.Text("kind")} {one.Text("total")} {one.Text("tax")}"));
        Assert.All(documents, one => Assert.Equal("VAT DE", Assert.Single(one.Items("taxes")).Text("name")));
    }

    /// <summary>Of 10.50, of which 1.68 are a tax.</summary>
    static async Task<Purchase> TaxedAsync()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "10");
        var calculation = (await Purchase.StripeAsync(
            "POST", "/v1/tax/calculations",
            "currency=usd&line_items[0][amount]=1050&line_items[0][tax_behavior]=inclusive&customer_details[address][country]=DE"
                + "&customer_details[address_source]=billing")).MustBe(200).Json.Text("id");
        (await Purchase.StripeAsync(
            "POST", $"/v1/payment_intents/{purchase.Intent}", $"hooks[inputs][tax][calculation]={calculation}")).MustBe(200);
        return purchase;
    }

    [Fact]
    public async Task It_comes_as_a_page_too_where_a_header_or_the_address_asks_for_it()
    {
        await SayAsync(Backend.App);
        var purchase = await Purchase.PaidAsync();
        var path = $"/v1/invoices/{Assert.Single(await DocumentsAsync(purchase.User, 1)).Text("id")}";

        foreach (var reply in (Reply[])
        [
            await Gateway.SendAsync("GET", path, purchase.User.Token, headers: [("Accept", "application/pdf")]),
            await Backend.App.GetAsync($"{path}?format=pdf"),
        ])
        {
            Assert.Equal((200, "application/pdf"), (reply.Status, reply["Content-Type"]));
            Assert.StartsWith("%PDF-", reply.Text);
            Assert.Contains(".pdf", reply["Content-Disposition"]);
        }
        (await Backend.App.GetAsync($"{path}?format=docx")).MustBeProblem(400, "invalid_value", "format");
    }

    [Fact]
    public async Task What_fails_to_go_back_is_owed_by_an_invoice_again()
    {
        await SayAsync(Backend.App);
        var purchase = await Purchase.PaidAsync(method: Purchase.RefundFails);
        await purchase.MustHaveAsync("8.333333333");
        (await purchase.RefundAsync("\"amount\":\"10.5\"")).MustBe(201);

        var documents = await DocumentsAsync(purchase.User, 3);

        Assert.Equal(
            ["invoice refund_failed 10.5", "credit_note refund 10.5", "invoice top_up 10.5"],
            documents.Select(one => $"{one.Text("kind")} {one.Text("reason")} {one.Text("total")}"));
        Assert.All(documents[..2], one => Assert.Equal(documents[2].Text("number"), one.Text("correctsNumber")));
        Assert.Equal(await ClearedAsync(purchase.User), documents.Sum(SignedNanos));
        Assert.Equal(
            ["invoice.created", "invoice.created", "invoice.created", "invoice.paid", "invoice.paid"],
            await Eventually.GetAsync(() => ToldAsync(purchase.Id), told => told.Length >= 5, "five events"));
    }

    internal static async Task<string[]> ToldAsync(string payment)
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("webhooks"));
        await using var query = database.CreateCommand(
            "select type from event where body like '%' || $1 || '%' and type like 'invoice.%' order by type");
        query.Parameters.Add(new() { Value = payment });
        var types = new List<string>();
        await using var row = await query.ExecuteReaderAsync(Token);
        while (await row.ReadAsync(Token))
            types.Add(row.GetString(0));
        return [.. types];
    }

    [Fact]
    public async Task Nothing_has_a_number_until_the_seller_says_who_it_is_and_what_the_test_world_sells_has_numbers_of_its_own()
    {
        var purchase = await Purchase.BeginAsync(await Backend.TestWorld.NewUserAsync(credit: null), "10");
        (await purchase.PayAsync()).MustBe(200);
        await Eventually.HoldsAsync(async () => (await ListAsync(purchase.User)).Int("drafts") == 1, "a draft");
        Assert.Empty((await ListAsync(purchase.User)).Items("invoices"));
        Assert.Equal(404, (await Backend.TestWorld.GetAsync("/v1/invoices/seller")).Status);

        await SayAsync(Backend.TestWorld);

        var invoice = Assert.Single(await DocumentsAsync(purchase.User, 1));
        Assert.Matches("^TEST-INV-[0-9]{6,}$", invoice.Text("number"));
        Assert.Equal(0, (await ListAsync(purchase.User)).Int("drafts"));
        Assert.Equal("Acme GmbH", (await Backend.TestWorld.GetAsync("/v1/invoices/seller")).MustBe(200).Json.Text("name"));
    }

    [Fact]
    public async Task A_document_stays_as_it_was_whatever_its_seller_says_later_and_nobody_can_change_it()
    {
        await SayAsync(Backend.App);
        var purchase = await Purchase.PaidAsync();
        var before = Assert.Single(await DocumentsAsync(purchase.User, 1));

        (await Backend.App.PutAsync("/v1/invoices/seller", """{"name":"Acme Ltd","address":"Road 2"}""")).MustBe(200);

        Assert.Equal(before.GetRawText(), Assert.Single(await DocumentsAsync(purchase.User, 1)).GetRawText());
        await SayAsync(Backend.App);
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));
        foreach (var change in (string[])["update invoice set number = number + 1", "delete from invoice", "truncate invoice cascade"])
        {
            await using var command = database.CreateCommand(change);
            var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync(Token));
            Assert.Contains("never change", refused.MessageText);
        }
    }

    [Fact]
    public async Task Pages_of_the_list_have_every_document_once_and_only_what_was_asked_for()
    {
        await SayAsync(Backend.App);
        var purchase = await Purchase.PaidAsync();
        await purchase.MustHaveAsync("8.333333333");
        foreach (var amount in (string[])["1", "2", "3"])
            (await purchase.RefundAsync($"\"amount\":\"{amount}\"")).MustBe(201);
        var all = await DocumentsAsync(purchase.User, 4);

        var (seen, cursor) = (new List<string>(), "");
        do
        {
            var page = (await Backend.App.GetAsync($"/v1/invoices?customer={purchase.User.CustomerId}&limit=3&cursor={cursor}"))
                .MustBe(200).Json;
            seen.AddRange(page.Items("invoices").Select(one => one.Text("total")));
            cursor = page.GetProperty("nextCursor").GetString();
        }
        while (cursor is not null);

        Assert.Equal(["3", "2", "1", "10.5"], seen);
        var since = Uri.EscapeDataString(all[1].Text("issuedAt"));
        Assert.Equal(2, await CountAsync($"from={since}"));
        Assert.Equal(2, await CountAsync($"to={since}"));
        (await Backend.App.GetAsync("/v1/invoices?custmer=cus_1")).MustBeProblem(400, "invalid_value", "custmer");
        (await Backend.App.GetAsync("/v1/invoices?customer=1")).MustBeProblem(400, "invalid_value", "customer");
        (await Backend.App.GetAsync("/v1/invoices?cursor=1")).MustBeProblem(400, "invalid_value", "cursor");
        (await Backend.App.GetAsync("/v1/invoices?from=then")).MustBeProblem(400, "invalid_value", "from");
        var other = await Backend.App.NewUserAsync(credit: null);
        Assert.Equal(
            404, (await Gateway.SendAsync("GET", $"/v1/invoices?customer={purchase.User.CustomerId}", other.Token)).Status);
        (await Backend.App.PutAsync("/v1/invoices/seller", """{"name":"","address":"Road 2"}"""))
            .MustBeProblem(400, "invalid_value", "name");
        Assert.Equal(401, (await Gateway.SendAsync("PUT", "/v1/invoices/seller", other.Token, Seller)).Status);

        async Task<int> CountAsync(string filter) => (await Gateway.SendAsync("GET", $"/v1/invoices?{filter}", purchase.User.Token))
            .MustBe(200).Json.Items("invoices").Count();
    }

    /// <summary>The seller's calendar is a day before or behind that of UTC, whatever the time is.</summary>
    [Fact]
    public async Task Dates_are_the_documents_own_and_the_list_comes_as_a_file_too()
    {
        var zone = DateTimeOffset.UtcNow.Hour < 11 ? "Pacific/Pago_Pago" : "Pacific/Kiritimati";
        (await Backend.Wires.PutAsync("/v1/invoices/seller", $$"""{"name":"Far Ltd","address":"Beach 1","timeZone":"{{zone}}"}"""))
            .MustBe(200);
        var purchase = await Purchase.BeginAsync(await Backend.Wires.NewUserAsync(credit: null), "10");
        (await purchase.PayAsync()).MustBe(200);
        var invoice = Assert.Single(await DocumentsAsync(purchase.User, 1));
        var date = DateOnly.Parse(invoice.Text("date"), System.Globalization.CultureInfo.InvariantCulture);
        Assert.NotEqual(DateOnly.FromDateTime(invoice.GetProperty("issuedAt").GetDateTimeOffset().UtcDateTime), date);

        Assert.Equal(1, await CountAsync($"from={date:yyyy-MM-dd}&to={date.AddDays(1):yyyy-MM-dd}"));
        Assert.Equal(0, await CountAsync($"from={date.AddDays(1):yyyy-MM-dd}"));
        Assert.Equal(0, await CountAsync($"to={date:yyyy-MM-dd}"));

        var file = await Gateway.SendAsync("GET", "/v1/invoices", purchase.User.Token, headers: [("Accept", "text/csv")]);
        Assert.StartsWith("attachment; filename=invoices.csv", file.MustBe(200)["Content-Disposition"]);
        var line = Assert.Single(file.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries)[1..]);
        Assert.StartsWith($"{invoice.Text("id")},{invoice.Text("number")},invoice,top_up,{date:yyyy-MM-dd},", line);
        Assert.EndsWith($",USD,{invoice.Text("tax")},{invoice.Text("total")}", line);

        async Task<int> CountAsync(string filter) => (await Gateway.SendAsync("GET", $"/v1/invoices?{filter}", purchase.User.Token))
            .MustBe(200).Json.Items("invoices").Count();
    }

    [Fact]
    public async Task A_second_seller_of_an_organization_is_warned_that_both_share_their_numbers()
    {
        const string First = """{"name":"Keys Ltd","address":"Street 1"}""";
        (await Backend.KeysOnly.PutAsync("/v1/invoices/seller", First)).MustBe(200);

        var second = (await Backend.Queries.PutAsync("/v1/invoices/seller", """{"name":"Queries Ltd","address":"Street 2"}"""))
            .MustBe(200).Json;

        Assert.Equal("Queries Ltd", second.Text("name"));
        Assert.Contains("one series", second.Text("warning"));
        Assert.Contains("one series", (await Backend.KeysOnly.GetAsync("/v1/invoices/seller")).MustBe(200).Json.Text("warning"));
        // The only project of its organization.
        var alone = (await Backend.Other.PutAsync("/v1/invoices/seller", First)).MustBe(200).Json;
        Assert.False(alone.TryGetProperty("warning", out _));
    }

    internal static async Task SayAsync(Backend backend) => (await backend.PutAsync("/v1/invoices/seller", Seller)).MustBe(200);

    static async Task<JsonElement> ListAsync(User user) => (await Gateway.SendAsync("GET", "/v1/invoices", user.Token)).MustBe(200).Json;

    /// <summary>The user's documents, newest first, when there are so many.</summary>
    internal static Task<JsonElement[]> DocumentsAsync(User user, int count, TimeSpan? atMost = null) => Eventually.GetAsync(
        async () => (await ListAsync(user)).Items("invoices").ToArray(), documents => documents.Length >= count, $"{count} documents",
        atMost);
}
