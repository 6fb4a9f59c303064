namespace LlmGateway.Wallet;

/// <summary>
/// Ids of accounts that a committed batch has read, so that not every batch must check whether the house's accounts exist. Of accounts
/// only counters are ever deleted, long after the last claim on them. The ids are forgotten after any failure, because a restored database
/// may be older. For one writer.
/// </summary>
public sealed class ExistingAccounts
{
    const int MaxRemembered = 100_000;

    readonly HashSet<Guid> _ids = [], _counters = [];

    public bool Contains(Guid id) => _ids.Contains(id);

    public bool HasCounter(Guid id) => _counters.Contains(id);

    public void Remember(Book book)
    {
        if (_ids.Count + book.Accounts.Count > MaxRemembered)
            Forget();
        _ids.UnionWith(book.Accounts.Keys);
        _counters.UnionWith(book.Accounts.Values.Where(account => account.Kind.IsCounter()).Select(account => account.Id));
    }

    public void Forget()
    {
        _ids.Clear();
        ForgetCounters();
    }

    /// <summary>The next batch reads all that it names.</summary>
    public void ForgetCounters() => _counters.Clear();
}
