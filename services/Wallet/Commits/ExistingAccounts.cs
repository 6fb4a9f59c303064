namespace LlmGateway.Wallet;

/// <summary>
/// Ids of accounts that a committed batch has read, so that not every batch must check whether the house's accounts exist. Of accounts
/// only counters are ever deleted, long after the last claim on them. The ids are forgotten after any failure, because a restored database
/// may be older. For one writer.
/// </summary>
public sealed class ExistingAccounts
{
    const int MaxRemembered = 100_000;

    readonly HashSet<Guid> _ids = [];

    public bool Contains(Guid id) => _ids.Contains(id);

    public void Remember(Book book)
    {
        if (_ids.Count + book.Accounts.Count > MaxRemembered)
            _ids.Clear();
        _ids.UnionWith(book.Accounts.Keys);
    }

    public void Forget() => _ids.Clear();
}
