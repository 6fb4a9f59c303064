using System.Globalization;

namespace LlmGateway.EndToEnd;

/// <summary>Codes that give credit.</summary>
[Collection(nameof(Payments))]
public sealed class PromotionTests
{
    static string NewCode() => $"T{Guid.NewGuid():N}"[..20].ToUpperInvariant();

    static async Task<string> CreateAsync(string more = "\"maxRedemptions\":10")
    {
        var code = NewCode();
        (await Backend.App.PostAsync("/v1/promotions", $$"""{"code":"{{code}}","amount":"2.5",{{more}}}""")).MustBe(201);
        return code;
    }

    static Task<Reply> RedeemAsync(User user, string code, string? key = null) => Gateway.SendAsync(
        "POST", "/v1/wallet/redeem", user.Token, $$"""{"code":"{{code}}"}""",
        headers: key is null ? [] : [("Idempotency-Key", key)]);

    static async Task<int> RedeemedAsync(string code) => (await Backend.App.GetAsync("/v1/promotions?limit=200")).MustBe(200).Json
        .Items("promotions").Single(one => one.Text("code") == code).GetProperty("redeemed").GetInt32();

    [Fact]
    public async Task A_code_gives_a_lot_that_expires_and_repeated_it_gives_the_first_answer()
    {
        var code = await CreateAsync("\"maxRedemptions\":10,\"lotDays\":30");
        var user = await Backend.App.NewUserAsync(credit: null);

        var first = (await RedeemAsync(user, $" {code.ToLowerInvariant()} ")).MustBe(200).Json;
        var again = (await RedeemAsync(user, code)).MustBe(200).Json;

        Assert.Equal((code, "2.5", "USD"), (first.Text("code"), first.Text("amount"), first.Text("currency")));
        Assert.Equal((false, true), (IsRepeated(first), IsRepeated(again)));
        Assert.Equal(
            first.ToString().Replace("\"alreadyRedeemed\":false", "\"alreadyRedeemed\":true", StringComparison.Ordinal),
            again.ToString());
        Assert.Equal(2_500_000_000, await user.BalanceAsync());
        var lot = Assert.Single((await Backend.App.GetAsync($"/v1/wallets/{user.WalletId}")).MustBe(200).Json.Items("lots"));
        Assert.Equal(("promotion", "2.5", false), (lot.Text("kind"), lot.Text("remaining"), lot.GetProperty("refundable").GetBoolean()));
        Assert.Equal(first.Text("expiresAt"), lot.Text("expiresAt"));
        var days = DateTimeOffset.Parse(lot.Text("expiresAt"), CultureInfo.InvariantCulture) - DateTimeOffset.UtcNow;
        Assert.InRange(days.TotalDays, 29.9, 30.1);
        Assert.Equal(1, await RedeemedAsync(code));

        static bool IsRepeated(System.Text.Json.JsonElement answer) => answer.GetProperty("alreadyRedeemed").GetBoolean();
    }

    [Fact]
    public async Task A_promotion_that_is_ended_gives_nobody_anything_more_and_what_it_gave_stays()
    {
        var (code, had, late) = (NewCode(), await Backend.App.NewUserAsync(credit: null), await Backend.App.NewUserAsync(credit: null));
        var made = (await Backend.App.PostAsync(
            "/v1/promotions", $$"""{"code":"{{code}}","amount":"2.5","maxRedemptions":10}""")).MustBe(201).Json;
        var path = $"/v1/promotions/{made.Text("id")}";
        Assert.Equal(made.ToString(), (await Backend.App.GetAsync(path)).MustBe(200).Json.ToString());
        (await RedeemAsync(had, code)).MustBe(200);
        foreach (var stranger in (Backend[])[Backend.Other, Backend.AppTest])
        {
            (await stranger.GetAsync(path)).MustBe(404);
            (await stranger.DeleteAsync(path)).MustBe(404);
        }

        (await Backend.App.DeleteAsync(path)).MustBe(204);
        var ended = (await Backend.App.GetAsync(path)).MustBe(200).Json;
        (await Backend.App.DeleteAsync(path)).MustBe(204);

        Assert.Equal("promotion_expired", (await RedeemAsync(late, code)).MustBe(409).Code);
        Assert.Equal("2.5", (await RedeemAsync(had, code)).MustBe(200).Json.Text("amount"));
        Assert.Equal((2_500_000_000, 0), (await had.BalanceAsync(), await late.BalanceAsync()));
        Assert.Equal(1, ended.GetProperty("redeemed").GetInt32());
        Assert.Equal(System.Text.Json.JsonValueKind.Null, made.GetProperty("endedAt").ValueKind);
        Assert.Equal(ended.Text("endedAt"), (await Backend.App.GetAsync(path)).MustBe(200).Json.Text("endedAt"));
        Assert.Equal("promotion_exists", (await Backend.App.PostAsync(
            "/v1/promotions", $$"""{"code":"{{code}}","amount":"1","maxRedemptions":1}""")).MustBe(409).Code);
        (await Backend.App.DeleteAsync("/v1/promotions/promo_nothing")).MustBe(404);
    }

    [Fact]
    public async Task Exactly_as_many_as_may_redeem_do_however_many_ask_at_once()
    {
        var code = await CreateAsync("\"maxRedemptions\":7");
        var users = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => Backend.App.NewUserAsync(credit: null)));

        var replies = await Task.WhenAll(users.SelectMany(user => new[] { RedeemAsync(user, code), RedeemAsync(user, code) }));

        Assert.Equal(7, users.Where((_, i) => replies[2 * i].Status == 200 || replies[2 * i + 1].Status == 200).Count());
        Assert.All(replies.Where(reply => reply.Status != 200), reply => Assert.Equal("promotion_used_up", reply.MustBe(409).Code));
        var balances = await Task.WhenAll(users.Select(user => user.BalanceAsync()));
        Assert.Equal(7 * 2_500_000_000L, balances.Sum());
        Assert.Equal(2_500_000_000L, balances.Max());
        Assert.Equal(7, await RedeemedAsync(code));
    }

    [Fact]
    public async Task A_customer_has_a_code_as_often_as_it_says_and_a_repeated_call_is_one()
    {
        var code = await CreateAsync("\"maxRedemptions\":100,\"perCustomer\":3");
        var user = await Backend.App.NewUserAsync(credit: null);
        (await RedeemAsync(user, code, "one")).MustBe(200);
        (await RedeemAsync(user, code, "one")).MustBe(200);
        Assert.Equal(2_500_000_000, await user.BalanceAsync());

        var replies = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => RedeemAsync(user, code)));

        Assert.All(replies, reply => reply.MustBe(200));
        Assert.Equal(7_500_000_000, await user.BalanceAsync());
        Assert.Equal(3, await RedeemedAsync(code));
    }

    [Fact]
    public async Task A_key_that_has_made_or_redeemed_a_code_does_so_for_no_other_one_also_when_its_answer_is_forgotten()
    {
        var (user, redeems, makes, made) = (
            await Backend.App.NewUserAsync(credit: null), Guid.NewGuid().ToString(), Guid.NewGuid().ToString(), NewCode());
        var (first, second) = (await CreateAsync(), await CreateAsync());
        (await RedeemAsync(user, first, redeems)).MustBe(200);
        (await MakeAsync(made, "1")).MustBe(201);
        foreach (var key in (string[])[redeems, makes])
            await Purchase.ForgetAnswerAsync(key);

        (await RedeemAsync(user, second, redeems)).MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");
        (await MakeAsync(made, "2")).MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");
        (await MakeAsync(NewCode(), "1")).MustBeProblem(422, "idempotency_key_reused", "Idempotency-Key");

        (await RedeemAsync(user, first, redeems)).MustBe(200);
        (await MakeAsync(made, "1")).MustBe(201);
        Assert.Equal(2_500_000_000, await user.BalanceAsync());
        Assert.Equal((1, 0), (await RedeemedAsync(first), await RedeemedAsync(second)));

        Task<Reply> MakeAsync(string code, string amount) => Backend.App.PostAsync(
            "/v1/promotions", $$"""{"code":"{{code}}","amount":"{{amount}}","maxRedemptions":1}""", makes);
    }

    [Fact]
    public async Task What_cannot_be_redeemed_is_refused_by_name_and_nothing_is_given()
    {
        var (code, user, frozen) = (await CreateAsync(), await Backend.App.NewUserAsync(), await Backend.App.NewUserAsync());
        (await Backend.App.PostAsync($"/v1/wallets/{frozen.WalletId}/freeze", "{}")).MustBe(200);
        var soon = await CreateAsync(
            $"\"maxRedemptions\":10,\"expiresAt\":\"{DateTimeOffset.UtcNow.AddSeconds(2):O}\"");

        Assert.Equal("wallet_frozen", (await RedeemAsync(frozen, code)).MustBe(402).Code);
        Assert.Equal("code", (await RedeemAsync(user, NewCode())).MustBe(404).Json.GetProperty("error").Text("param"));
        Assert.Equal("code", (await RedeemAsync(user, "no code")).MustBe(404).Json.GetProperty("error").Text("param"));
        (await RedeemAsync(await Backend.Other.NewUserAsync(), code)).MustBe(404);
        await Eventually.HoldsAsync(
            async () => await RedeemAsync(await Backend.App.NewUserAsync(), soon) is { Status: 409, Code: "promotion_expired" },
            "the code's end");
        Assert.Equal((1_000_000_000, 0), (await user.BalanceAsync(), await RedeemedAsync(code)));
    }

    /// <summary>Rows as a service leaves them that dies before the ledger has them. The first is of a wallet that is not there.</summary>
    [Fact]
    public async Task What_was_claimed_is_booked_whatever_stands_before_it_and_what_has_expired_is_asked_for_no_more()
    {
        var code = await CreateAsync("\"maxRedemptions\":10,\"lotDays\":30");
        var (waits, late) = (await Backend.App.NewUserAsync(credit: null), await Backend.App.NewUserAsync(credit: null));
        var nobody = Guid.NewGuid();
        await ClaimAsync(nobody, Guid.NewGuid(), "now() + interval '1 day'", 3);
        await ClaimAsync(waits.Customer, WalletOf(waits), "now() + interval '1 day'", 2);
        await ClaimAsync(late.Customer, WalletOf(late), "now() - interval '1 second'", 1);

        await Purchase.ReconcileAsync();

        Assert.Equal((2_500_000_000, 0), (await waits.BalanceAsync(), await late.BalanceAsync()));
        Assert.Equal(("booked", "expired"), (await StatusAsync(waits), await StatusAsync(late)));
        Assert.Equal("promotion_expired", (await RedeemAsync(late, code)).MustBe(409).Code);
        await Purchase.NumberAsync(
            "billing", "with over as (update redemption set status = 'expired' where customer = $1 returning 1) select count(*) from over",
            nobody);

        Task ClaimAsync(Guid customer, Guid wallet, string expires, int age) => Purchase.NumberAsync("billing", $"""
            with claimed as (
                insert into redemption (id, promotion, customer, number, wallet, expires_at, created_at, looked_at)
                select gen_random_uuid(), id, $2, 1, $3, date_trunc('milliseconds', {expires}), now() - interval '1 hour',
                    now() - interval '{age} hours'
                from promotion where code = $1 returning 1)
            select count(*) from claimed
            """, code, customer, wallet);

        static Guid WalletOf(User user) => Guid.ParseExact(user.WalletId["wal_".Length..], "N");

        static async Task<string> StatusAsync(User user) => await Purchase.NumberAsync(
            "billing", "select count(*) from redemption where customer = $1 and status = 'booked'", user.Customer) == 1 ? "booked"
            : await Purchase.NumberAsync(
                "billing", "select count(*) from redemption where customer = $1 and status = 'expired'", user.Customer) == 1 ? "expired"
            : "neither";
    }

    /// <summary>Stored answers are deleted after three days; what a key has done it has done for ever.</summary>
    [Fact]
    public async Task A_key_that_was_used_before_the_answers_that_are_stored_is_refused_for_anything_else()
    {
        var (code, other, user) = (await CreateAsync(), await CreateAsync(), await Backend.App.NewUserAsync(credit: null));
        var (key, made) = (NewCode(), NewCode());
        (await RedeemAsync(user, code, key)).MustBe(200);
        (await MakeAsync(made, "2.5")).MustBe(201);
        Assert.Equal(2, await Purchase.NumberAsync(
            "billing", "with gone as (delete from idempotent_call where key = $1 returning 1) select count(*) from gone", key));

        Assert.Equal("idempotency_key_reused", (await RedeemAsync(user, other, key)).MustBe(422).Code);
        (await RedeemAsync(user, code, key)).MustBe(200);
        Assert.Equal("idempotency_key_reused", (await MakeAsync(NewCode(), "2.5")).MustBe(422).Code);
        Assert.Equal("idempotency_key_reused", (await MakeAsync(made, "3")).MustBe(422).Code);
        (await MakeAsync(made, "2.5")).MustBe(201);
        Assert.Equal((2_500_000_000, 0), (await user.BalanceAsync(), await RedeemedAsync(other)));

        Task<Reply> MakeAsync(string code, string amount) => Backend.App.PostAsync(
            "/v1/promotions", $$"""{"code":"{{code}}","amount":"{{amount}}","maxRedemptions":1,"expiresAt":"2099-01-01T00:00:00Z"}""", key);
    }

    [Theory]
    [InlineData("""{"code":"ab","amount":"1","maxRedemptions":1}""", "code")]
    [InlineData("""{"code":"with space","amount":"1","maxRedemptions":1}""", "code")]
    [InlineData("""{"code":"good","amount":"0","maxRedemptions":1}""", "amount")]
    [InlineData("""{"code":"good","amount":"-1","maxRedemptions":1}""", "amount")]
    [InlineData("""{"code":"good","amount":"1.001","maxRedemptions":1}""", "amount")]
    [InlineData("""{"code":"good","amount":"5001","maxRedemptions":1}""", "amount")]
    [InlineData("""{"code":"good","amount":"1"}""", "maxRedemptions")]
    [InlineData("""{"code":"good","amount":"1","maxRedemptions":0}""", "maxRedemptions")]
    [InlineData("""{"code":"good","amount":"1","maxRedemptions":1,"perCustomer":0}""", "perCustomer")]
    [InlineData("""{"code":"good","amount":"1","maxRedemptions":1,"lotDays":0}""", "lotDays")]
    [InlineData("""{"code":"good","amount":"1","maxRedemptions":1,"expiresAt":"2020-01-01T00:00:00Z"}""", "expiresAt")]
    public async Task A_promotion_that_is_none_is_refused_by_name(string body, string param) => Assert.Equal(
        param, (await Backend.App.PostAsync("/v1/promotions", body)).MustBe(400).Json.GetProperty("error").Text("param"));

    [Fact]
    public async Task A_code_is_taken_once_in_a_project_and_mode_and_another_project_has_its_own()
    {
        var code = await CreateAsync();
        var body = $$"""{"code":"{{code.ToLowerInvariant()}}","amount":"1","maxRedemptions":1}""";

        Assert.Equal("promotion_exists", (await Backend.App.PostAsync("/v1/promotions", body)).MustBe(409).Code);
        (await Backend.AppTest.PostAsync("/v1/promotions", body)).MustBe(201);
        var made = (await Backend.Other.PostAsync("/v1/promotions", body, "once")).MustBe(201);
        Assert.Equal(made.Json.Text("id"), (await Backend.Other.PostAsync("/v1/promotions", body, "once")).MustBe(201).Json.Text("id"));
    }
}
