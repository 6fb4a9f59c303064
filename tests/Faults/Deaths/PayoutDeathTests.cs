using System.Text.Json;
using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>
/// Whoever pays a developer is killed between any two steps, and the same calls are made again until they are answered: there is one
/// account, every payout is transferred once, and the books say so.
/// </summary>
public sealed class PayoutDeathTests
{
    /// <summary>What its caller had begun when it died is anybody's after a minute.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static TheoryData<string> Steps => [.. Points.OfPayouts];

    public static TheoryData<string> SomeSteps => [.. Points.EveryFourth(Points.OfPayouts)];

    [Theory, MemberData(nameof(SomeSteps))]
    public Task A_developer_has_one_account_and_is_paid_once_whatever_dies_on_the_way(string point) =>
        DieAsync(point);

    /// <summary><c>./dev chaos --failpoints</c>: at every point.</summary>
    [Theory(Explicit = true), MemberData(nameof(Steps))]
    public Task Failpoints(string point) => DieAsync(point);

    static async Task DieAsync(string point)
    {
        await Outage.WaitUntilAllIsHealthyAsync();
        await Payee.FundAsync();
        await EarnAsync();
        var before = await MarginAsync();
        var service = Points.Owner(point);
        Stack.App.Once(service, Failpoint.Variable, $"{point}:1:kill");
        await Outage.KillAsync(service);
        var armed = Stack.ProcessId(service);

        var account = (await AnsweredAsync(() => Backend.App.PostAsync(
            "/v1/connect/onboard", """{"refreshUrl":"https://example.com/again","returnUrl":"https://example.com/done"}"""), 200))
            .Json.Text("accountId");
        (await Purchase.OrderAsync($"/accounts/{account}", """{"name":"ready"}""")).MustBe(200);
        var key = Guid.NewGuid().ToString();
        var paid = await Eventually.GetAsync(
            () => Backend.App.PostAsync("/v1/connect/payouts", """{"amount":"1.5"}""", key),
            reply => reply.Status is 200 or 202, "an answer", Patience);
        await Eventually.HoldsAsync(async () => await StatusAsync(paid.Json.Text("id")) == "paid", "the payout", Patience);

        Assert.NotEqual(armed, Stack.ProcessId(service));
        var transfers = (await Purchase.StripeAsync("GET", $"/v1/transfers?destination={account}")).MustBe(200).Json.Items("data");
        Assert.Equal(150, Assert.Single(transfers).Int("amount"));
        Assert.Equal(before - 1_500_000_000, await MarginAsync());
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync("wallet", "select coalesce(sum(posted), 0)::bigint from account where kind = 109") == 0,
            "the end of the reservation", Patience);
        Assert.Equal(1, await Purchase.NumberAsync("billing", "select count(*) from connect_account where gone_at is null"));
        await Books.WaitUntilRightAsync();

        // The next one begins anew.
        (await Purchase.OrderAsync($"/accounts/{account}", """{"name":"deauthorized"}""")).MustBe(200);
        await Eventually.HoldsAsync(
            async () => await Purchase.NumberAsync("billing", "select count(*) from connect_account where gone_at is null") == 0,
            "the end of the account", Patience);
    }

    static async Task EarnAsync()
    {
        var purchase = await Purchase.BeginAsync(await Backend.App.NewUserAsync(credit: null), "12");
        (await purchase.PayAsync(Payee.Available)).MustBe(200);
        await Eventually.HoldsAsync(async () => (await purchase.EntriesAsync()).Contains("topup 10"), "the top-up", Patience);
    }

    static Task<long> MarginAsync() =>
        Purchase.NumberAsync("wallet", "select coalesce(sum(posted), 0)::bigint from account where kind = 106");

    static async Task<string?> StatusAsync(string payout)
    {
        var reply = await Backend.App.GetAsync("/v1/connect/payouts");
        return reply.Status == 200 && reply.Json.Items("payouts").FirstOrDefault(one => one.Text("id") == payout) is
            { ValueKind: JsonValueKind.Object } found
            ? found.Text("status")
            : null;
    }

    /// <summary>While the service is away, and while the key of the call that died is still taken.</summary>
    static Task<Reply> AnsweredAsync(Func<Task<Reply>> ask, int status) =>
        Eventually.GetAsync(ask, reply => reply.Status == status, $"an answer {status}", Patience);
}
