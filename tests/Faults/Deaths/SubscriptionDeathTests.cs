using LlmGateway.ServiceDefaults;

namespace LlmGateway.Faults;

/// <summary>
/// Whoever sells a plan is killed between any two steps, and the same calls are made again until they are answered: the customer has one
/// subscription and its plan, and the books have one payment.
/// </summary>
public sealed class SubscriptionDeathTests
{
    /// <summary>An event that somebody had taken who died is anybody's after a minute.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    static readonly HttpClient Browser = new(new SocketsHttpHandler { AllowAutoRedirect = false });

    public static TheoryData<string> Steps => [.. Points.OfSubscriptions];

    public static TheoryData<string> SomeSteps => [.. Points.EveryFourth(Points.OfSubscriptions)];

    [Theory, MemberData(nameof(SomeSteps))]
    public Task A_customer_has_one_subscription_and_has_paid_once_whatever_dies_on_the_way(string point) => DieAsync(point);

    /// <summary><c>./dev chaos --failpoints</c>: at every point.</summary>
    [Theory(Explicit = true), MemberData(nameof(Steps))]
    public Task Failpoints(string point) => DieAsync(point);

    static async Task DieAsync(string point)
    {
        await Outage.WaitUntilAllIsHealthyAsync();
        var (user, plan) = (await Backend.App.NewUserAsync(credit: null), $"plan-{Guid.NewGuid():N}");
        (await Backend.App.PutAsync($"/v1/plans/{plan}", """{"name":"A plan","price":"29","tokens":1000}""")).MustBe(200);
        var service = Points.Owner(point);
        Stack.App.Once(service, Failpoint.Variable, $"{point}:1:kill");
        await Outage.KillAsync(service);
        var armed = Stack.ProcessId(service);

        var page = (await Eventually.GetAsync(
            () => Backend.App.PostAsync("/v1/subscriptions/checkout", $$"""
                {"customer":"{{user.CustomerId}}","plan":"{{plan}}","successUrl":"https://example.com","cancelUrl":"https://example.com"}
                """),
            reply => reply.Status == 200, "a checkout", Patience)).Json.Text("url");
        using (var paid = await Browser.PostAsync(new Uri(page), new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["step"] = "pay", ["number"] = "4242424242424242", ["expiry"] = "12/40", ["cvc"] = "123", ["email"] = "a@example.com",
        })))
            Assert.Equal(303, (int)paid.StatusCode);
        await Eventually.HoldsAsync(
            async () => await Backend.App.GetAsync($"/v1/customers/{user.CustomerId}") is { Status: 200 } reply
                && reply.Json.TryGetProperty("plan", out var given) && given.Text("id") == plan,
            "the plan", Patience);
        await Eventually.HoldsAsync(async () => await CountAsync("p.booked") == 1, "the payment in the books", Patience);

        Assert.NotEqual(armed, Stack.ProcessId(service));
        Assert.Equal(1, await CountAsync("true"));
        var theirs = (await Purchase.StripeAsync("GET", "/v1/subscriptions?limit=100&status=all")).MustBe(200).Json.Items("data");
        Assert.Single(theirs, one => one.GetProperty("items").Items("data").Single().GetProperty("price").GetProperty("metadata")
            .TryGetProperty("llmgateway_plan", out var named) && named.GetString() == plan);
        await Books.WaitUntilRightAsync();

        Task<long> CountAsync(string which) => Purchase.NumberAsync(
            "billing",
            $"select count(*) from plan_payment p join subscription s on s.id = p.subscription where s.customer = $1 and {which}",
            user.Customer);
    }
}
