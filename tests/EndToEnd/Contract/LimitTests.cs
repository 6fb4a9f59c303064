using System.Text.Json;

namespace LlmGateway.EndToEnd;

/// <summary>Limits of customers: what is stored, and that a list is taken whole or not at all.</summary>
public sealed class LimitTests
{
    const string Month = """{"unit":"tokens","amount":"1000","cycle":"month","timeZone":"Europe/Berlin"}""";

    const string Day = """{"id":"daily","unit":"usd","amount":12.5,"cycle":{"days":1},"selector":{"models":["small"]}}""";

    [Fact]
    public async Task A_list_is_taken_whole_or_not_at_all()
    {
        var path = await NewCustomerAsync();
        Assert.Empty((await Backend.App.GetAsync(path)).MustBe(200).Json.EnumerateArray());

        var written = (await PutAsync(path, $"[{Month},{Day}]")).MustBe(200);
        (await PutAsync(path, $"[{Month.Replace("1000", "5")},{Day.Replace("12.5", "0")}]"))
            .MustBeProblem(400, "invalid_value", "[1].amount");
        (await PutAsync(path, $"[{Month.Replace("1000", "5")},{Month}]")).MustBeProblem(400, "invalid_value", "[1]");
        (await PutAsync(path, $$"""[{{Month[..^1]}},"selector":{"keys":["nobody's"]} }]"""))
            .MustBeProblem(400, "invalid_value", "[0].selector.keys[0]");
        Assert.Contains("must be a JSON array", (await PutAsync(path, """{"limits":[]}""")).MustBeProblem(400, "malformed_json").Text);
        (await PutAsync(path, "null")).MustBe(400);

        var read = (await Backend.App.GetAsync(path)).MustBe(200);
        Assert.Equal(written.Text, read.Text);
        var limits = read.Json.EnumerateArray().ToList();
        Assert.Equal(
            [("tokens", "1000", "Europe/Berlin"), ("usd", "12.5", "UTC")],
            limits.Select(limit => (limit.Text("unit"), limit.Text("amount"), limit.Text("timeZone"))));
        Assert.Equal("daily", limits[1].Text("id"));
        Assert.Equal(TimeSpan.FromDays(1), Time(limits[1], "resets") - Time(limits[1], "since"));

        Assert.Equal("[]", (await PutAsync(path, "[]")).MustBe(200).Text);
        Assert.Empty((await Backend.App.GetAsync(path)).MustBe(200).Json.EnumerateArray());
    }

    [Fact]
    public async Task A_list_that_is_written_again_changes_nothing()
    {
        var path = await NewCustomerAsync();

        var first = (await PutAsync(path, $"[{Month},{Day}]")).MustBe(200);
        var again = (await PutAsync(path, $"[{Month},{Day}]")).MustBe(200);
        var many = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => PutAsync(path, $"[{Month},{Day}]")));
        var read = (await PutAsync(path, Written(first))).MustBe(200); // with the ids that it was given

        Assert.All(many.Append(again).Append(read), reply => Assert.Equal(first.Text, reply.MustBe(200).Text));
    }

    /// <summary>Many calls that wait with a connection would keep everybody from being looked up.</summary>
    [Fact]
    public async Task While_Wallet_does_not_answer_a_new_list_holds_nothing_of_the_database()
    {
        var path = await NewCustomerAsync();
        await using var hanging = await OpenTransaction.BeginAsync(Books.Wallet, "lock table owed_opening in exclusive mode");

        var putting = PutAsync(path, $"[{Month}]");
        await Eventually.HoldsAsync(hanging.IsWaitedForAsync, "a look at what was used that waits");
        var customer = Guid.ParseExact(path.Split('/')[3]["cus_".Length..], "N");
        await using (await OpenTransaction.BeginAsync(
            Books.Sessions, "select 1 from customer where id = $1 for update nowait", customer))
        {
        }
        await hanging.CommitAsync();

        (await putting).MustBe(200);
    }

    [Fact]
    public async Task Lists_that_replace_each_other_are_each_taken_whole()
    {
        var path = await NewCustomerAsync();
        (await PutAsync(path, $"[{Month}]")).MustBe(200);

        var replies = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => PutAsync(path, i % 2 == 0 ? $"[{Month}]" : $"[{Day}]")));

        Assert.All(replies, reply => Assert.Single(reply.MustBe(200).Json.EnumerateArray()));
        Assert.Single((await Backend.App.GetAsync(path)).MustBe(200).Json.EnumerateArray());
    }

    [Fact]
    public async Task A_raise_lasts_while_its_limit_counts_the_same()
    {
        var path = await NewCustomerAsync();
        (await PutAsync(path, $"[{Day}]")).MustBe(200);
        var key = Guid.NewGuid().ToString();

        var raised = (await Backend.App.PostAsync($"{path}/daily/raise", """{"amount":"20","cycles":2}""", key)).MustBe(200);
        var again = (await Backend.App.PostAsync($"{path}/daily/raise", """{"amount":"20","cycles":2}""", key)).MustBe(200);
        (await Backend.App.PostAsync($"{path}/daily/raise", """{"amount":"12.5","cycles":2}"""))
            .MustBeProblem(400, "invalid_value", "amount");
        (await Backend.App.PostAsync($"{path}/another/raise", """{"amount":"20","cycles":2}""")).MustBeProblem(404, "not_found");

        Assert.Equal(raised.Text, again.Text);
        var lowered = (await PutAsync(path, $"[{Day.Replace("12.5", "10")}]")).MustBe(200).Json[0];
        var raise = Assert.Single(lowered.Items("raises"));
        Assert.Equal(("10", "20"), (lowered.Text("amount"), raise.Text("amount")));
        Assert.Equal(Time(lowered, "resets").AddDays(1), Time(raise, "until"));

        var other = (await PutAsync(path, $"[{Day.Replace("usd", "tokens").Replace("12.5", "9")}]")).MustBe(200).Json[0];
        Assert.Empty(other.Items("raises"));
    }

    [Fact]
    public async Task A_limit_may_count_one_key_alone()
    {
        var path = await NewCustomerAsync();
        var key = await Backend.App.NewKeyAsync(path.Split('/')[3]);

        var limit = (await PutAsync(path, $$"""[{{Month[..^1]}},"selector":{"keys":["n8n"]} }]""")).MustBe(200).Json[0];

        Assert.Equal([key.Id], limit.GetProperty("selector").GetProperty("keys").EnumerateArray().Select(id => id.GetString()));
    }

    [Fact]
    public async Task A_seed_file_says_limits_in_the_same_words()
    {
        var customers = (await Backend.App.GetAsync("/v1/customers?search=limited-by-seed")).MustBe(200).Json.Items("customers");

        var limits = (await Backend.App.GetAsync($"/v1/customers/{customers.Single().Text("id")}/limits")).MustBe(200).Json;

        Assert.Equal(
            [("tokens", "100000"), ("usd", "50")],
            limits.EnumerateArray().Select(limit => (limit.Text("unit"), limit.Text("amount"))));
    }

    static async Task<string> NewCustomerAsync()
    {
        var created = (await Backend.App.PostAsync("/v1/customers", $$"""{"externalId":"limited-{{Guid.NewGuid():N}}"}""")).MustBe(201);
        return $"/v1/customers/{created.Json.Text("id")}/limits";
    }

    static Task<Reply> PutAsync(string path, string limits) => Backend.App.PutAsync(path, limits);

    /// <summary>An answer as a list that can be written.</summary>
    static string Written(Reply reply) => JsonSerializer.Serialize(reply.Json.EnumerateArray().Select(limit =>
        limit.EnumerateObject().Where(member => member.Name is not ("raises" or "used" or "held" or "left" or "since" or "resets"))
            .ToDictionary(member => member.Name, member => member.Value)));

    static DateTimeOffset Time(JsonElement of, string member) => of.GetProperty(member).GetDateTimeOffset();
}
