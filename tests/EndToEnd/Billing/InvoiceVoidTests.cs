using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>Row 7.20: a document that is wrong in what it says keeps its number, and another one is in its place.</summary>
public sealed class InvoiceVoidTests
{
    [Fact]
    public async Task A_document_that_is_void_keeps_its_number_and_one_other_is_in_its_place_however_many_ask_at_once()
    {
        await SayAsync("Wrong Ltd");
        var purchase = await PaidAsync();
        var wrong = Assert.Single(await DocumentsAsync(purchase.User, 1));
        await SayAsync("Acme GmbH");

        var replies = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => VoidAsync(wrong)));

        var gone = Assert.Single(replies.Select(reply => reply.MustBe(200).Json.GetRawText()).Distinct());
        var documents = await DocumentsAsync(purchase.User, 2);
        Assert.Equal(2, documents.Length);
        Assert.Equal(gone, documents[1].GetRawText());
        Assert.Equal(
            (wrong.Text("number"), "Wrong Ltd", "wrong seller", documents[0].Text("number")),
            (documents[1].Text("number"), Seller(documents[1]), Void(documents[1]).Text("reason"),
                Void(documents[1]).Text("replacedByNumber")));
        Assert.Equal(
            (wrong.Text("number"), "Acme GmbH", "10.5", "top_up"),
            (documents[0].Text("replacesNumber"), Seller(documents[0]), documents[0].Text("total"), documents[0].Text("reason")));
        Assert.False(documents[0].TryGetProperty("void", out _));
        Assert.Equal(0, await MissingAsync(purchase.User));
        // Who books what is told as paid books it once.
        Assert.Equal(
            ["invoice.created", "invoice.created", "invoice.paid"],
            await Eventually.GetAsync(() => InvoiceTests.ToldAsync(purchase.Id), told => told.Length >= 3, "three events"));
    }

    [Fact]
    public async Task What_goes_back_later_is_of_the_document_that_counts_and_one_that_others_name_stays()
    {
        await SayAsync("Acme GmbH");
        var purchase = await PaidAsync();
        await purchase.MustHaveAsync("8.333333333");
        var wrong = Assert.Single(await DocumentsAsync(purchase.User, 1));
        (await VoidAsync(wrong)).MustBe(200);

        (await purchase.RefundAsync("\"amount\":\"0.95\"")).MustBe(201);

        var documents = await DocumentsAsync(purchase.User, 3);
        Assert.Equal(("credit_note", documents[1].Text("number")), (documents[0].Text("kind"), documents[0].Text("correctsNumber")));
        Assert.Equal(wrong.Text("number"), documents[1].Text("replacesNumber"));
        (await VoidAsync(documents[1])).MustBeProblem(409, "document_corrected");
        Assert.Equal(3, (await DocumentsAsync(purchase.User, 3)).Length);
        (await VoidAsync(documents[0])).MustBe(200);
        Assert.Equal(
            documents[1].Text("number"), (await DocumentsAsync(purchase.User, 4))[0].Text("correctsNumber"));

        // What is void has given nothing back of the fee.
        (await purchase.RefundAsync("")).MustBe(201);
        var given = (await DocumentsAsync(purchase.User, 5))
            .Where(one => one.Text("kind") == "credit_note" && !one.TryGetProperty("void", out _))
            .SelectMany(one => one.Items("lines"))
            .Where(line => line.Text("description").StartsWith("Service fee", StringComparison.Ordinal));
        Assert.Equal(500_000_000, given.Sum(line => Gateway.Nanos(line.GetProperty("amount"))));
    }

    [Fact]
    public async Task Whose_it_is_not_and_without_a_reason_nothing_is_void()
    {
        await SayAsync("Acme GmbH");
        var purchase = await PaidAsync();
        var document = Assert.Single(await DocumentsAsync(purchase.User, 1));
        var path = $"/v1/invoices/{document.Text("id")}/void";

        (await Backend.Documents.PostAsync(path, """{"reason":" "}""")).MustBeProblem(400, "invalid_value", "reason");
        (await Backend.Other.PostAsync(path, """{"reason":"mine"}""")).MustBe(404);
        (await Backend.DocumentsTest.PostAsync(path, """{"reason":"mine"}""")).MustBe(404);
        (await Backend.Documents.PostAsync("/v1/invoices/inv_nothing/void", """{"reason":"none"}""")).MustBe(404);
        Assert.Equal(401, (await Gateway.SendAsync("POST", path, purchase.User.Token, """{"reason":"mine"}""")).Status);
        Assert.Equal(document.GetRawText(), Assert.Single(await DocumentsAsync(purchase.User, 1)).GetRawText());
    }

    static async Task<Purchase> PaidAsync()
    {
        var purchase = await Purchase.BeginAsync(await Backend.Documents.NewUserAsync(credit: null), "10");
        (await purchase.PayAsync()).MustBe(200);
        await purchase.MustBecomeAsync("succeeded");
        return purchase;
    }

    static Task<Reply> VoidAsync(JsonElement document) =>
        Backend.Documents.PostAsync($"/v1/invoices/{document.Text("id")}/void", """{"reason":"wrong seller"}""");

    static async Task SayAsync(string seller) =>
        (await Backend.Documents.PutAsync("/v1/invoices/seller", $$"""{"name":"{{seller}}","address":"Street 1"}""")).MustBe(200);

    static string Seller(JsonElement document) => document.GetProperty("seller").Text("name");

    static JsonElement Void(JsonElement document) => document.GetProperty("void");

    /// <summary>The user's documents, newest first, when there are so many.</summary>
    static Task<JsonElement[]> DocumentsAsync(User user, int count) => Eventually.GetAsync(
        async () => (await Gateway.SendAsync("GET", "/v1/invoices", user.Token)).MustBe(200).Json.Items("invoices").ToArray(),
        documents => documents.Length >= count, $"{count} documents");

    /// <summary>Numbers of the user's organization that are missing.</summary>
    static Task<long> MissingAsync(User user) => Purchase.NumberAsync("billing", """
        select coalesce(sum(missing), 0)::bigint from (
            select max(number) - count(*) as missing from invoice
            where organization = (select organization from invoice where customer = $1 limit 1) group by test, kind) as series
        """, user.Customer);
}
