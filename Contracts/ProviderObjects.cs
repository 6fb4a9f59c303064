namespace LlmGateway.Contracts;

/// <summary>
/// Something that a provider keeps for one of our customers: a file, a batch. Callers know it by our id, see only their own, and never learn the provider's.
/// </summary>
/// <param name="Id">As handed to callers, in the form of the provider's: <c>msgbatch_…</c>, <c>batch_…</c>, <c>file-…</c>.</param>
/// <param name="Kind">One of the constants below.</param>
/// <param name="Provider">The provider connection of the project.</param>
/// <param name="ProviderKey">Which of the connection's keys made it: another account would not find it.</param>
/// <param name="ProviderId">The provider's own id.</param>
public sealed record ProviderObject(string Id, string Kind, Guid Project, bool Test, Guid Customer, string Provider, string ProviderKey, string ProviderId, DateTimeOffset CreatedAt)
{
    public const string MessageBatch = "message_batch", File = "file", Batch = "batch";

    /// <summary>What its lines ask for and are paid by; null for a file that a provider made.</summary>
    public BatchTerms? Terms { get; init; }

    /// <summary>Of a batch: our id of the file with its lines.</summary>
    public string? InputFile { get; init; }

    /// <summary>Of a batch: the paid request that created it, which is what is corrected when it has ended.</summary>
    public Guid? RequestId { get; init; }

    /// <summary>Of a batch: its real cost is booked, or was given up on.</summary>
    public bool Settled { get; init; }
}

/// <summary>What the lines of a batch may cost, as it was when they were read.</summary>
/// <param name="Endpoint">Of every line: <c>/v1/chat/completions</c>.</param>
/// <param name="Model">The project's model of every line.</param>
/// <param name="PriceVersion">Of the model at that time.</param>
/// <param name="Prices">Those in batches.</param>
/// <param name="Bound">The most that all lines together can cost.</param>
/// <param name="EstimatedInput">Our count of all input tokens, for results without usage.</param>
public sealed record BatchTerms(string Endpoint, string Model, Guid? PriceVersion, Prices Prices, Money Bound, int Lines, long EstimatedInput);

/// <summary><c>POST /internal/provider-objects/claim</c>: batches whose end is to be looked for now. Each comes again later, at growing intervals, until it is settled.</summary>
/// <param name="Id">This one, whenever its turn is; null for those whose turn it is.</param>
public sealed record BatchClaim(string? Id = null, int Limit = 1)
{
    public const int MaxLimit = 100;
}

/// <summary><c>POST /internal/provider-objects/{id}/settled</c>.</summary>
/// <param name="Cost">Null when the results were never found and the batch stays at its bound.</param>
/// <param name="Meters">What was used, in the order of <see cref="Meter"/>.</param>
public sealed record BatchSettled(Money? Cost, IReadOnlyList<long> Meters);

/// <summary><c>POST /internal/batch-costs</c> of the ledger.</summary>
/// <param name="RequestId">The paid request that created the batch.</param>
public sealed record BatchCost(Guid RequestId, Money Cost)
{
    /// <summary>The reason in the usage record of a batch: its cost is the bound, until a correction says more.</summary>
    public const string Reason = "batch";
}
