namespace LlmGateway.Contracts;

/// <summary>
/// What a credential's requests ask of registers. Whatever costs a hash or a calendar is done where it is made, so that proxies only
/// compare. A request must fit into every line of <paramref name="Limits"/>, and is paid by <paramref name="Sources"/> in their order.
/// </summary>
public sealed record ClaimRule(IReadOnlyList<LimitLine> Limits, IReadOnlyList<PaySource> Sources);

/// <summary>A limit on requests that its selector names.</summary>
/// <param name="Level">Whose limit it is, for people: <c>customer</c>, <c>key</c>, <c>session</c>.</param>
/// <param name="Only">Null counts every request.</param>
/// <param name="Terms">In their order, without gaps. A copy that has none for now must be read again.</param>
public sealed record LimitLine(Guid Limit, string Level, Unit Unit, Guid? Denomination, Selector? Only, IReadOnlyList<Term> Terms)
{
    /// <summary>What its owner calls it. Null where it has no name.</summary>
    public string? Name { get; init; }

    /// <summary>Most limits of a customer.</summary>
    public const int MaxPerCustomer = 14;

    /// <summary>Levels.</summary>
    public const string Customer = "customer", Key = "key", Session = "session";
}

/// <summary>
/// The time from <paramref name="From"/> on and before <paramref name="To"/>, in which a limit has one register and one ceiling.
/// </summary>
/// <param name="Ceiling">How far the register may count.</param>
public sealed record Term(Guid Register, DateTimeOffset From, DateTimeOffset To, long Ceiling)
{
    /// <summary>When the register's cycle ends, which may have several ceilings one after the other. Null: with the term.</summary>
    public DateTimeOffset? CycleTo { get; init; }

    /// <summary>No cycle ends so late. It leaves room to count with.</summary>
    public static readonly DateTimeOffset Ever = new(9000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Of what has no cycle.</summary>
    public static Term Always(Guid register, long ceiling) => new(register, DateTimeOffset.UnixEpoch, Ever, ceiling);
}

/// <summary>A register that pays. A balance has its id here, a plan's quota one in each term.</summary>
/// <param name="Overage">The wallet's price per token of a plan. Null pays the request's own price.</param>
public sealed record PaySource(
    AccountKind Kind, Unit Unit, Guid? Denomination, Guid? Register, IReadOnlyList<Term>? Terms, Rate? Overage)
{
    /// <summary>Of call credits: it pays only calls to providers of this type. Null for a source that pays for every provider.</summary>
    public string? QueryType { get; init; }

    /// <summary>The plan whose quota it is.</summary>
    public PlanTerm? Plan { get; init; }

    /// <summary>A customer's call credits of a type, whether it has any or not.</summary>
    public static PaySource OfCredits(Guid project, Guid customer, string type) => new(
        AccountKind.Credits, Unit.Credits, CallCredits.Denomination(project, type), CallCredits.BalanceOf(customer, type), Terms: null,
        Overage: null)
    {
        QueryType = type,
    };
}

/// <summary>How long a customer has a plan.</summary>
/// <param name="Name">For people.</param>
/// <param name="To">Null: until somebody ends it.</param>
public sealed record PlanTerm(string Name, DateTimeOffset? To)
{
    /// <summary>The plan's id in its project.</summary>
    public string? Id { get; init; }
}

/// <summary>
/// Which requests a limit counts: those that match in every member that is there. Lists are sorted and without repetitions.
/// </summary>
/// <param name="Models">As in a credential's scope: <c>model</c> or <c>provider/model</c>.</param>
/// <param name="Keys">Ids of the customer's keys.</param>
public sealed record Selector(IReadOnlyList<string>? Models, IReadOnlyList<Guid>? Keys)
{
    /// <param name="named">Every name that the request's model has: its own, and one with each of its providers.</param>
    public bool Matches(IReadOnlyCollection<string> named, Guid credential) =>
        (Models is null || Models.Any(named.Contains)) && (Keys is null || Keys.Contains(credential));
}

/// <summary>
/// The ids of counters. They follow from what is counted, for whom and since when, so that a limit that is changed, or removed and added
/// again, finds its counter with what was used. The texts are parts of stored ids: they must never change.
/// </summary>
public static class Counters
{
    /// <param name="owner">The customer or key.</param>
    /// <param name="denomination">The type of call credits, else null.</param>
    /// <param name="cycle">The cycle's rule as text, equal for equal cycles.</param>
    public static Guid Identity(Guid owner, Unit unit, Guid? denomination, string cycle, Selector? only) =>
        Ids.Derive(owner, $"counter:{(int)unit}:{denomination:N}:{cycle}:{TextOf(only)}");

    /// <param name="cycle">The cycle's name.</param>
    public static Guid Register(Guid identity, string cycle) => Ids.Derive(identity, cycle);

    /// <summary>A credential's cap, which is its family's.</summary>
    public static Guid Cap(Guid family) => Ids.Derive(family, "cap");

    /// <summary>The requests of a customer or key that run.</summary>
    public static Guid Slots(Guid owner) => Ids.Derive(owner, "slots");

    /// <summary>The client sessions of a customer that limits with one selector count. Each of them is a window.</summary>
    public static Guid Windows(Guid customer, Selector? only) => Ids.Derive(customer, $"windows:{TextOf(only)}");

    /// <param name="windows">One of the sets above.</param>
    /// <param name="session">The client's name of its session, perhaps a phone number. It is kept nowhere else.</param>
    public static Guid Window(Guid windows, string session) => Ids.Derive(windows, session);

    /// <param name="plan">One plan of one customer, not what all its subscribers share.</param>
    /// <param name="cycle">The cycle's name.</param>
    public static Guid Quota(Guid plan, string cycle) => Ids.Derive(plan, cycle);

    /// <summary>A name has its length before it, so that no name can look like the end of a list.</summary>
    static string TextOf(Selector? only) => only is null
        ? ""
        : $"models({string.Concat((only.Models ?? []).Select(model => $"{model.Length}:{model}"))})"
            + $"keys({string.Concat((only.Keys ?? []).Select(key => $"{key:N}"))})";
}
