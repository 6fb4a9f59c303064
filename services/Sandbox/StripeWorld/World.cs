using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>
/// Everything that belongs to one secret key: the platform's account, the connected ones, the clock, webhooks and orders. Keys whose ends
/// are equal (<c>sk_test_X</c>, <c>pk_test_X</c>) share a world; no other world is seen from it. All access is under <see cref="Gate"/>.
/// </summary>
sealed class World
{
    const int MaxObjects = 500_000;

    readonly Dictionary<string, Account> accounts = [];

    public World(string name, TimeProvider time, Outbox outbox)
    {
        Name = name;
        Clock = new(time, 0);
        Deliveries = new(this, outbox);
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        Platform = new(this, $"acct_1{hash[..15]}");
        accounts[Platform.Id] = Platform;
    }

    public Lock Gate { get; } = new();

    public string Name { get; }

    public Clock Clock { get; }

    public Account Platform { get; }

    public Deliveries Deliveries { get; }

    public IdempotentCalls Kept { get; } = new();

    public StripeFaults Faults { get; } = new();

    /// <summary>The call that is executed now. Events name it.</summary>
    public Call? Running { get; set; }

    /// <summary>
    /// What becomes of a subscription whose renewal could not be charged to the last: <c>cancel</c>, <c>unpaid</c>, <c>past_due</c>.
    /// </summary>
    public string AfterRetries { get; set; } = "cancel";

    /// <summary>Where hosted pages are: the address under which the latest call arrived.</summary>
    public string Address { get; set; } = "http://127.0.0.1";

    public int Objects { get; private set; }

    /// <summary>One more object is kept.</summary>
    /// <exception cref="Refusal">There are too many.</exception>
    public void CountObject()
    {
        if (Objects >= MaxObjects)
        {
            throw Refusal.Invalid($"The sandbox keeps at most {MaxObjects} objects for one key.");
        }
        Objects++;
    }

    public IEnumerable<Account> Connected => accounts.Values.Where(account => account != Platform);

    public Account? Account(string id) => accounts.GetValueOrDefault(id);

    public Account Connect(string id) => accounts[id] = new(this, id);

    public void Disconnect(string id) => accounts.Remove(id);

    /// <summary>The test clock that an object stands under, else the world's clock.</summary>
    public Clock ClockOf(JsonObject? o) =>
        (o?.Text("test_clock") ?? o?.Text("_test_clock")) is { } id && TestClocks.TryGetValue(id, out var clock) ? clock : Clock;

    public Dictionary<string, Clock> TestClocks { get; } = [];
}
