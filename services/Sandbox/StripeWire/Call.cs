using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>One call while it is executed, under its world's lock.</summary>
sealed record Call(World World, Account Account, string Path, IReadOnlyList<string> Ids, JsonObject Given)
{
    public required string Request { get; init; }

    public string? Key { get; init; }

    /// <summary>Whether the caller is a browser with the publishable key.</summary>
    public bool IsPublic { get; init; }

    /// <summary>Lists that are ordered to be stale do not show what is younger than this.</summary>
    public long? UnseenSince { get; init; }

    public string Id => Ids[0];

    public long Now => World.Clock.Now;

    public bool IsUnseen(JsonObject o) => UnseenSince <= o.Long("created");

    /// <exception cref="Refusal">There is none of this kind with the id of the path.</exception>
    public JsonObject Subject(string kind) => Account.Get(kind, Id);

    /// <summary>The object that a parameter names, or null when it was not given.</summary>
    public JsonObject? Named(string kind, string param) =>
        Given.Text(param) is { } id ? Account.Get(kind, id, param) : null;
}
