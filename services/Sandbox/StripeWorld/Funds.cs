namespace LlmGateway.Sandbox.Stripe;

/// <summary>What an account has in each currency, in its smallest unit. Both sums can be negative.</summary>
sealed class Funds
{
    readonly Dictionary<string, long> available = [], pending = [];

    public IEnumerable<string> Currencies => available.Keys.Union(pending.Keys);

    public long Available(string currency) => available.GetValueOrDefault(currency);

    public long Pending(string currency) => pending.GetValueOrDefault(currency);

    public void Add(string currency, long amount, bool isPending)
    {
        var sums = isPending ? pending : available;
        sums[currency] = sums.GetValueOrDefault(currency) + amount;
    }

    public void Release(string currency, long amount)
    {
        Add(currency, -amount, isPending: true);
        Add(currency, amount, isPending: false);
    }
}
