using Npgsql;

namespace LlmGateway.EndToEnd;

/// <summary>Other programs use the same account of Stripe's.</summary>
[Collection(nameof(Payments))]
public sealed class ForeignObjectTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_another_deployment_has_at_the_same_account_is_left_alone()
    {
        const string card = "confirm=true&payment_method=pm_card_bypassPending&return_url=https%3A%2F%2Fexample.com";
        await Payee.FundAsync();
        var intent = await MakeAsync(
            "payment_intents",
            $"amount=1050&currency=usd&{card}&metadata[llmgateway_payment]=pay_{Guid.NewGuid():N}"
                + $"&metadata[llmgateway_wallet]=wal_{Guid.NewGuid():N}");
        var setup = await MakeAsync("setup_intents", $"{card}&usage=off_session&metadata[llmgateway_setup]={Guid.NewGuid():N}");
        var account = await MakeAsync("accounts", "type=express&capabilities[transfers][requested]=true");
        await Purchase.OrderAsync($"/accounts/{account}", """{"name":"ready"}""");
        var transfer = await MakeAsync(
            "transfers", $"amount=100&currency=usd&destination={account}&metadata[llmgateway_payout]=pyo_{Guid.NewGuid():N}");

        await MustBeIgnoredAsync(intent, "payment_intent.succeeded");
        await MustBeIgnoredAsync(setup, "setup_intent.succeeded");
        await MustBeIgnoredAsync(transfer, "transfer.created");
        await MustBeIgnoredAsync(account, "account.updated");

        static async Task<string> MakeAsync(string what, string form) =>
            (await Purchase.StripeAsync("POST", $"/v1/{what}", form)).MustBe(200).Json.Text("id");
        static Task MustBeIgnoredAsync(string what, string type) => Eventually.GetAsync(
            () => TextAsync(
                """
                select coalesce(string_agg(distinct status, ' '), 'none') from stripe_event
                where type = $2 and convert_from(body, 'UTF8') like '%"' || $1 || '"%'
                """,
                what, type),
            status => status == "ignored", $"{type} of {what} that is ignored");
    }

    static async Task<string> TextAsync(string sql, params object[] values)
    {
        await using var database = NpgsqlDataSource.Create(Stack.Connection("billing"));
        await using var query = database.CreateCommand(sql);
        foreach (var value in values)
            query.Parameters.Add(new() { Value = value });
        return (string)(await query.ExecuteScalarAsync(Token))!;
    }
}
