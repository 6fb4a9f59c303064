using System.Globalization;
using System.Text.Json;
using LlmGateway.Contracts;

namespace LlmGateway.EndToEnd;

/// <summary>When keys were last used, as proxies report it and backends read it.</summary>
public sealed class KeyUseTests
{
    static readonly Backend App = Backend.Managed;

    [Theory]
    [InlineData("customer")]
    [InlineData("secret")]
    public async Task A_key_s_last_use_is_written_twice_a_minute_at_most_and_never_goes_back(string kind)
    {
        var (list, id) = await NewKeyAsync(kind);
        var start = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        foreach (var (reported, shown) in ((int, int)[])[(0, 0), (10, 0), (29, 0), (30, 30), (5, 30), (59, 30), (61, 61), (61, 61)])
        {
            await ReportAsync(id, start.AddSeconds(reported));
            Assert.Equal((reported, start.AddSeconds(shown)), (reported, await LastUseAsync(list, id)));
        }
    }

    [Theory]
    [InlineData("GET", "/v1/customers?limit=1")]
    [InlineData("GET", "/v1/models")]
    [InlineData("POST", "/v1/providers/sandbox/test")]
    public async Task A_call_of_a_backend_is_a_use_of_its_key(string method, string path)
    {
        var made = (await App.PostAsync("/v1/secret-keys", """{"name":"used"}""")).MustBe(201).Json;
        var before = DateTimeOffset.UtcNow.AddSeconds(-1);

        (await Gateway.SendAsync(method, path, made.Text("key"), method == "POST" ? "{}" : null)).MustBe(200);

        var used = await Eventually.GetAsync(() => LastUseAsync("/v1/secret-keys", made.Text("id")), at => at is not null, "the use");
        Assert.True(used >= before);
    }

    [Theory]
    [InlineData("/v1/models")]
    [InlineData("/v1beta/models")]
    public async Task A_list_of_models_is_a_use_of_the_key_that_asked_for_it(string path)
    {
        var user = await App.NewUserAsync(null);
        var (id, key) = await App.NewKeyAsync(user.CustomerId);

        (await Gateway.SendAsync("GET", path, key)).MustBe(200);

        await Eventually.GetAsync(() => LastUseAsync($"/v1/customers/{user.CustomerId}/keys", id), at => at is not null, "the use");
    }

    static async Task<(string List, string Id)> NewKeyAsync(string kind)
    {
        if (kind == "secret")
            return ("/v1/secret-keys", (await App.PostAsync("/v1/secret-keys", """{"name":"unused"}""")).MustBe(201).Json.Text("id"));
        var user = await App.NewUserAsync(null);
        return ($"/v1/customers/{user.CustomerId}/keys", (await App.NewKeyAsync(user.CustomerId)).Id);
    }

    static async Task ReportAsync(string id, DateTimeOffset at)
    {
        var key = Guid.ParseExact(id[(id.IndexOf('_') + 1)..], "N");
        var json = string.Create(CultureInfo.InvariantCulture, $$"""{"credentials":[{"id":"{{key}}","at":"{{at:O}}"}]}""");
        (await Gateway.SendAsync("POST", "/internal/keys/used", null, json, Stack.Url("sessions"),
            Stack.Signed(ServiceCall.Proxy, ServiceCall.Sessions))).MustBe(204);
    }

    static async Task<DateTimeOffset?> LastUseAsync(string list, string id) =>
        (await App.GetAsync(list)).MustBe(200).Json.Items("keys").Single(key => key.Text("id") == id).GetProperty("lastUsedAt")
            is { ValueKind: JsonValueKind.String } at
            ? at.GetDateTimeOffset()
            : null;
}
