namespace LlmGateway.EndToEnd;

/// <summary>Prices that are changed by several at once, or very often.</summary>
public sealed class PriceOrderTests
{
    const string Price1 = """
        {"provider":"sandbox","upstreamModel":"sandbox-small","contextTokens":10000,"maxOutputTokens":1000,
         "prices":{"input":"1","output":"2"}}
        """;

    /// <summary>The other one is committed while the call waits, and its instance's clock is an hour ahead.</summary>
    [Fact]
    public async Task A_price_whose_call_waited_for_another_one_is_in_force_after_it()
    {
        var (app, name) = (Backend.Managed, $"model-{Guid.NewGuid():N}");
        var project = await Books.ProjectAsync(await app.NewUserAsync("1"));
        (await app.PutAsync($"/v1/models/{name}", Price1)).MustBe(200);
        await using var other = await OpenTransaction.BeginAsync(
            Books.Sessions,
            """
            with held as (update project set name = name where id = $1 returning 1)
            insert into price_version (id, project_id, model_id, prices, valid_from)
            values ($3, $1, $2, '{"input":"3","output":"2"}', now() + interval '1 hour')
            """,
            project, name, Guid.CreateVersion7());

        var put = app.PutAsync($"/v1/models/{name}", Price1);
        await Eventually.HoldsAsync(other.IsWaitedForAsync, "a price that waits");
        await other.CommitAsync();

        Assert.Equal("1", (await put).MustBe(200).Json.GetProperty("prices").Text("input"));
        var prices = (await app.GetAsync($"/v1/models/{name}/prices")).MustBe(200).Json.Items("prices")
            .OrderByDescending(one => one.GetProperty("validFrom").GetDateTimeOffset())
            .Select(one => one.GetProperty("prices").Text("input"));
        Assert.Equal(["1", "3", "1"], prices);
        (await app.PutAsync($"/v1/models/{name}", Price1.Replace("\"input\":\"1\"", "\"input\":\"4\""))).MustBe(200);
        Assert.Equal("4", (await app.GetAsync($"/v1/models/{name}")).MustBe(200).Json.GetProperty("prices").Text("input"));
    }

    /// <summary>Versions are kept for ever. The rest of a model may still be changed.</summary>
    [Fact]
    public async Task A_project_that_has_had_too_many_new_prices_today_is_refused_the_next()
    {
        var (app, name) = (Backend.KeysOnly, $"model-{Guid.NewGuid():N}");
        var project = Guid.ParseExact(
            (await app.GetAsync("/v1/projects")).MustBe(200).Json.Items("projects").Single().Text("id")["prj_".Length..], "N");
        (await app.PutAsync($"/v1/models/{name}", Price1)).MustBe(200);
        await using (var fill = Books.Sessions.CreateCommand("""
            insert into price_version (id, project_id, model_id, prices, valid_from)
            select gen_random_uuid(), $1, $2, '{"input":"3","output":"2"}', now() from generate_series(1, 10000)
            """))
        {
            fill.Parameters.Add(new() { Value = project });
            fill.Parameters.Add(new() { Value = name });
            await fill.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        }

        (await app.PutAsync($"/v1/models/{name}", Price1)).MustBeProblem(429, "rate_limit_exceeded");

        (await app.PutAsync($"/v1/models/{name}", """
            {"provider":"sandbox","upstreamModel":"sandbox-small","contextTokens":9000,"maxOutputTokens":1000}
            """)).MustBe(200);
        Assert.Equal("3", (await app.GetAsync($"/v1/models/{name}")).MustBe(200).Json.GetProperty("prices").Text("input"));
        (await app.DeleteAsync($"/v1/models/{name}")).MustBe(204);
    }

    /// <summary>Else whoever makes and deletes models without an end fills the tables that all read.</summary>
    [Fact]
    public async Task Of_a_model_that_had_no_price_nothing_is_left_when_it_is_deleted()
    {
        var (app, path) = (Backend.Managed, $"/v1/models/model-{Guid.NewGuid():N}");
        (await app.PutAsync(path, """
            {"provider":"sandbox","upstreamModel":"sandbox-small","contextTokens":10000,"maxOutputTokens":1000}
            """)).MustBe(200);

        (await app.DeleteAsync(path)).MustBe(204);

        (await app.GetAsync($"{path}/prices")).MustBeProblem(404, "not_found");
    }
}
