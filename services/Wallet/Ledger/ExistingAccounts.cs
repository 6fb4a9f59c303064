namespace LlmGateway.Wallet;

/// <summary>
/// Accounts that a committed batch has seen, so that not every batch has to ask whether the house's own are there: accounts are never deleted. Forgotten after
/// any failure, because a database that comes back may be an older copy of itself. For one writer.
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
