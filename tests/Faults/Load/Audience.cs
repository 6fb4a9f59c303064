using System.Collections.Concurrent;

namespace LlmGateway.Faults;

/// <summary>
/// A developer's system that is told what happens under load, and a backend that registers others, replaces their secrets and deletes them
/// while things break. Each event must have arrived, with a right signature, in numbers without gaps; twice only with the same bytes.
/// </summary>
sealed class Audience : IAsyncDisposable
{
    /// <summary>An event that found no receiver waits for its next try; the check does not.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    readonly WebhookListener _listener;
    readonly ConcurrentDictionary<string, string> _bodies = new();
    readonly ConcurrentQueue<string> _wrong = [];
    string _endpoint = "";

    Audience(WebhookListener listener) => _listener = listener;

    public static async Task<Audience> OpenAsync()
    {
        var audience = new Audience(await WebhookListener.StartAsync());
        var made = await Backoffice.DoAsync("POST", "/v1/webhooks", $$"""{"url":"{{audience._listener.Url}}"}""");
        audience._endpoint = made.MustBe(201).Json.Text("id");
        var secret = made.Json.Text("secret");
        audience._listener.Answer = (told, _) =>
        {
            if (told.Path == "/hook")
                audience.Hear(told, secret);
            return Task.CompletedTask;
        };
        return audience;
    }

    /// <summary>Registers an address, has it told, replaces its secret, has it told again, and deletes it.</summary>
    public async Task WorkAsync(Random random)
    {
        var path = $"/{random.Next():x8}";
        var json = $$"""{"url":"{{_listener.Url}}{{path}}","enabledEvents":["dispute.closed"]}""";
        var made = (await Backoffice.DoAsync("POST", "/v1/webhooks", json)).MustBe(201).Json;
        var endpoint = $"/v1/webhooks/{made.Text("id")}";
        var first = (await Backoffice.DoAsync("POST", $"{endpoint}/test", "{}")).MustBe(202).Json.Text("eventId");
        var rotated = (await Backoffice.DoAsync("POST", $"{endpoint}/rotate-secret", "{}")).MustBe(200).Json;
        var second = (await Backoffice.DoAsync("POST", $"{endpoint}/test", "{}")).MustBe(202).Json.Text("eventId");
        string[] secrets = [made.Text("secret"), rotated.Text("secret")];
        var told = await Eventually.GetAsync(
            () => Task.FromResult(_listener.All.Where(one => one.Path == "/hook" + path).ToList()),
            told => told.Exists(one => one.Id == first) && told.Exists(one => one.Id == second),
            "the arrival of test events", Patience);
        Assert.All(told, one => Assert.True(one.IsSignedWith(secrets[0])));
        Assert.All(told.Where(one => one.Id == second), one => Assert.True(one.IsSignedWith(secrets[1])));
        (await Backoffice.DoAsync("DELETE", endpoint)).MustBe(200);
    }

    /// <summary>
    /// Call it when everything runs again. Every event of these customers that the ledger has decided has arrived, and there is no other.
    /// </summary>
    public async Task CheckAsync(IEnumerable<User> customers)
    {
        await Books.WaitUntilAllIsToldAsync();
        (await Gateway.SendAsync(
            "POST", "/internal/deliveries/now", at: Stack.Url("webhooks"), headers: [Stack.Signed("operator", "webhooks")])).MustBe(200);
        foreach (var customer in customers)
        {
            var last = await LastAsync(customer);
            var numbers = await Eventually.GetAsync(
                () => Task.FromResult(Numbers(customer)), numbers => numbers.Count >= last, $"the arrival of {last} events", Patience);
            Assert.Equal(Enumerable.Range(1, (int)last).Select(number => (long)number), numbers);
        }
        Assert.True(_wrong.IsEmpty, string.Join("\n", _wrong.Take(5)));
    }

    public async ValueTask DisposeAsync()
    {
        await Backoffice.DoAsync("DELETE", $"/v1/webhooks/{_endpoint}");
        await _listener.DisposeAsync();
    }

    /// <summary>Of the ledger's series. A customer's payments and keys have series of their own.</summary>
    List<long> Numbers(User customer) =>
    [
        .. _listener.All.Where(one => one.Path == "/hook" && one.Event.Text("series") == $"{customer.Customer:N}")
            .Select(one => one.Sequence).Distinct().Order(),
    ];

    void Hear(Told told, string secret)
    {
        if (!told.IsSignedWith(secret))
            _wrong.Enqueue($"{told.Id} is not signed");
        if (_bodies.GetOrAdd(told.Id, told.Body) != told.Body)
            _wrong.Enqueue($"{told.Id} came with other bytes");
    }

    static async Task<long> LastAsync(User customer)
    {
        await using var query = Books.Wallet.CreateCommand("select coalesce((select last from event_sequence where subject = $1), 0)");
        query.Parameters.Add(new() { Value = customer.Customer });
        return (long)(await query.ExecuteScalarAsync())!;
    }
}
