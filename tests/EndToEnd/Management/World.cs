using System.Text.RegularExpressions;

namespace LlmGateway.EndToEnd;

/// <summary>Something of each kind that a project can have, to be looked at before and after.</summary>
sealed partial class World
{
    readonly Dictionary<string, string> _ids = new(StringComparer.Ordinal);

    World(Backend backend) => Backend = backend;

    public Backend Backend { get; }

    public static async Task<World> NewAsync(Backend backend)
    {
        var (world, user) = (new World(backend), await backend.NewUserAsync());
        var (key, _) = await backend.NewKeyAsync(user.CustomerId);
        var limits = (await backend.PutAsync($"/v1/customers/{user.CustomerId}/limits", """
            [{"id":"daily","unit":"requests","amount":9,"cycle":"day"}]
            """)).MustBe(200);
        var secret = (await backend.PostAsync("/v1/secret-keys", """{"name":"other"}""")).MustBe(201).Json;
        var hook = (await backend.PostAsync("/v1/webhooks", """{"url":"http://127.0.0.1:9/hook"}""")).MustBe(201).Json;
        world._ids["/v1/customers/"] = user.CustomerId;
        world._ids["/v1/wallets/"] = user.WalletId;
        world._ids["/v1/sessions/"] = user.SessionId;
        world._ids["/v1/secret-keys/"] = secret.Text("id");
        world._ids["/v1/webhooks/"] = hook.Text("id");
        world._ids["keyId"] = key;
        world._ids["limitId"] = limits.Json[0].Text("id");
        return world;
    }

    /// <summary>What else there is, where it is made: by the pattern before the parameter, or by the parameter's name.</summary>
    public string this[string parameter]
    {
        get => _ids[parameter];
        set => _ids[parameter] = value;
    }

    /// <summary>What stands in a route for its parameter. What nobody has is there where the world has none of its kind.</summary>
    public string ValueOf(string before, string parameter) =>
        _ids.GetValueOrDefault(before) ?? _ids.GetValueOrDefault(parameter) ?? "nobodys";

    /// <summary>All of it, as the owner's full key sees it, without how often its webhook has failed: nobody listens there.</summary>
    public async Task<string> ReadAsync()
    {
        var (customer, wallet) = (_ids["/v1/customers/"], _ids["/v1/wallets/"]);
        var parts = new List<string>();
        foreach (var path in (string[])
        [
            $"/v1/customers/{customer}", $"/v1/customers/{customer}/keys", $"/v1/customers/{customer}/limits",
            $"/v1/wallets/{wallet}", $"/v1/sessions?customer={customer}", $"/v1/webhooks/{_ids["/v1/webhooks/"]}",
        ])
            parts.Add($"{path} {(await Backend.GetAsync(path)).MustBe(200).Text}");
        var keys = (await Backend.GetAsync("/v1/secret-keys")).MustBe(200).Json.Items("keys").Select(key => key.Text("id"));
        parts.Add($"{keys.Contains(_ids["/v1/secret-keys/"])}");
        return Failures().Replace(string.Join('\n', parts), "");
    }

    [GeneratedRegex("\"failures\":\\d+,")]
    private static partial Regex Failures();
}
