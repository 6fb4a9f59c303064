using System.Text.Json.Nodes;

namespace LlmGateway.Sandbox.Stripe;

/// <summary>The objects of one account, and its balance.</summary>
sealed class Account(World world, string id)
{
    readonly Dictionary<string, JsonObject> byId = [];
    readonly Dictionary<string, List<JsonObject>> byKind = [];

    public string Id => id;

    public World World => world;

    public bool IsPlatform => world.Platform == this;

    public Funds Funds { get; } = new();

    /// <summary>Whether the platform was cut off from this account.</summary>
    public bool IsDeauthorized { get; set; }

    /// <summary>A new object of a shape, with its id and the time of a clock, the world's without one.</summary>
    public JsonObject New(JsonObject shape, string prefix, Clock? clock = null)
    {
        var o = (JsonObject)shape.DeepClone();
        o["id"] = StripeIds.New(prefix);
        if (o.ContainsKey("created"))
        {
            o["created"] = (clock ?? world.Clock).Now;
        }
        return o;
    }

    /// <summary>Keeps an object. It is found by its id and listed with its kind from now on.</summary>
    public JsonObject Add(JsonObject o)
    {
        world.CountObject();
        byId[o.Id()] = o;
        var kind = o.Text("object")!;
        if (!byKind.TryGetValue(kind, out var all))
        {
            byKind[kind] = all = [];
        }
        all.Add(o);
        return o;
    }

    /// <summary>Takes an object out of its list. A deleted one with <paramref name="leaves"/> is still found by its id.</summary>
    public void Remove(JsonObject o, bool leaves)
    {
        byKind[o.Text("object")!].Remove(o);
        if (leaves)
        {
            o["deleted"] = true;
        }
        else
        {
            byId.Remove(o.Id());
        }
    }

    public JsonObject? Find(string kind, string? id) =>
        id is not null && byId.TryGetValue(id, out var o) && o.Text("object") == kind ? o : null;

    /// <exception cref="Refusal">There is none, or it was deleted.</exception>
    public JsonObject Get(string kind, string? id, string param = "id") =>
        Find(kind, id) is { } o && !o.Is("deleted") ? o : throw Refusal.Missing(kind, id, param);

    /// <summary>The object that a relation names: of this account, or an account itself.</summary>
    public JsonObject? Related(string id) => byId.GetValueOrDefault(id) ?? world.Platform.byId.GetValueOrDefault(id);

    public IEnumerable<JsonObject> Newest(string kind)
    {
        var all = byKind.GetValueOrDefault(kind, []);
        for (var i = all.Count - 1; i >= 0; i--)
        {
            yield return all[i];
        }
    }

    public IEnumerable<JsonObject> Oldest(string kind) => byKind.TryGetValue(kind, out var all) ? all : [];

    /// <summary>Tells that something has happened to an object.</summary>
    public void Emit(string type, JsonObject o, JsonObject? previous = null) => Events.Emit(this, type, o, previous);

    /// <summary>Changes an object and tells so, with what its members were before, if any of them is another now.</summary>
    public void Change(JsonObject o, string type, Action change)
    {
        var before = o.Shown();
        change();
        var previous = new JsonObject();
        foreach (var (name, value) in o)
        {
            if (name[0] != '_' && !JsonNode.DeepEquals(before[name], value))
            {
                previous[name] = before[name]?.DeepClone();
            }
        }
        if (previous.Count > 0)
        {
            Emit(type, o, previous);
        }
    }
}
