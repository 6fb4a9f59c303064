using System.Net;
using System.Text.Json;
using Stripe;

namespace LlmGateway.EndToEnd;

/// <summary>The sandbox's Stripe as one key sees it, through Stripe.net, and the orders that only the sandbox takes.</summary>
sealed class StripeWorld
{
    static readonly HttpClient Http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(30) };

    public StripeWorld()
    {
        Key = "sk_test_" + Guid.NewGuid().ToString("N");
        Client = ClientOf(Key);
    }

    public string Key { get; }

    public StripeClient Client { get; }

    public V1Services Stripe => Client.V1;

    /// <summary>One that does not try again, so that a test sees each answer.</summary>
    public static StripeClient ClientOf(string key) => new(new StripeClientOptions
    {
        ApiKey = key,
        ApiBase = Stack.Stripe.ToString().TrimEnd('/'),
        HttpClient = new SystemNetHttpClient(Http, maxNetworkRetries: 0),
    });

    public async Task<JsonElement> OrderAsync(string path, object? order = null)
    {
        var url = new Uri(Stack.Sandbox, $"/sandbox/stripe/{path}{(path.Contains('?') ? '&' : '?')}key={Key}");
        using var answer = await Http.PostAsync(url, new StringContent(
            JsonSerializer.Serialize(order ?? new { }, JsonSerializerOptions.Web), System.Text.Encoding.UTF8, "application/json"));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonElement.Parse(text);
    }

    public Task AdvanceAsync(TimeSpan by) => OrderAsync("clock", new { seconds = (long)by.TotalSeconds });

    /// <summary>Sends the form of a hosted page; returns where it leads.</summary>
    public static async Task<Uri?> VisitAsync(string url, params (string Name, string Value)[] form)
    {
        using var answer = await Http.PostAsync(
            url, new FormUrlEncodedContent(form.Select(field => KeyValuePair.Create(field.Name, field.Value))));
        Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.SeeOther, $"{url} answered {answer.StatusCode}");
        return answer.Headers.Location;
    }

    public Task<PaymentIntent> PayAsync(long amount, string method, Action<PaymentIntentCreateOptions>? more = null, string? key = null)
    {
        var options = new PaymentIntentCreateOptions
        {
            Amount = amount, Currency = "usd", PaymentMethod = method, Confirm = true, AllowedPaymentMethodTypes = ["card"],
        };
        more?.Invoke(options);
        return Stripe.PaymentIntents.CreateAsync(options, key is null ? null : new() { IdempotencyKey = key });
    }

    public async Task<Account> ReadyAccountAsync()
    {
        var account = await Stripe.Accounts.CreateAsync(new()
        {
            Controller = new()
            {
                Fees = new() { Payer = "application" },
                Losses = new() { Payments = "application" },
                StripeDashboard = new() { Type = "express" },
            },
            Capabilities = new() { Transfers = new() { Requested = true } },
            Settings = new() { Payouts = new() { Schedule = new() { Interval = "manual" } } },
        });
        await OrderAsync($"accounts/{account.Id}", new { name = "ready" });
        return account;
    }

    /// <summary>The error that a call ends with.</summary>
    public static async Task<StripeException> RefusedAsync(Task call, HttpStatusCode status, string? code = null, string? param = null)
    {
        var refused = await Assert.ThrowsAsync<StripeException>(() => call);
        Assert.Equal(status, refused.HttpStatusCode);
        Assert.Equal(code ?? refused.StripeError.Code, refused.StripeError.Code);
        Assert.Equal(param ?? refused.StripeError.Param, refused.StripeError.Param);
        return refused;
    }
}
