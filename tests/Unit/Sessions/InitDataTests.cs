using LlmGateway.ServiceDefaults;
using LlmGateway.Sessions;
using Xunit;

namespace LlmGateway.UnitTests.Sessions;

/// <summary>Launch data as Telegram's clients give it, signed by another program than ours, and what is wrong with others.</summary>
public sealed class InitDataTests
{
    const string Bot = "1234567890:AAexample-token_of_the_first_bot000", OtherBot = "1234567890:AAexample-token_of_the_first_bot001";

    const long SignedAt = 1790000000;

    const string Hash = "ca8d66c371f24550f1efda61583860160bfa997b3fb1667fe9eba696b4f57d5c";

    /// <summary>
    /// With escaped slashes and letters, an emoji, every character that a query escapes, and a signature for third parties.
    /// </summary>
    const string Fields = "query_id=AAExample0001"
        + "&user=%7B%22id%22%3A987654321%2C%22first_name%22%3A%22Zo%5Cu00eb%20%F0%9F%9A%80%20%2B%20%3F%20%26%20%3D%20%25%22"
        + "%2C%22last_name%22%3A%22O%27Hara%20%5C%22Z%5C%22%22%2C%22username%22%3A%22zoe_h%22%2C%22language_code%22%3A%22en%22"
        + "%2C%22is_premium%22%3Atrue%2C%22allows_write_to_pm%22%3Atrue"
        + "%2C%22photo_url%22%3A%22https%3A%5C%2F%5C%2Ft.me%5C%2Fi%5C%2Fuserpic%5C%2F320%5C%2Fown-picture.svg%22%7D"
        + "&auth_date=1790000000&signature=c2lnbmF0dXJlLW9mLXRlbGVncmFtLW5vdC1jaGVja2Vk_-"
        + "&chat_instance=-1234567890123456789&chat_type=private&start_param=a_b-1";

    const string Launch = $"{Fields}&hash={Hash}";

    [Fact]
    public void What_Telegram_has_signed_for_the_bot_says_who_has_opened_the_app()
    {
        var data = InitData.Read(Launch);

        Assert.True(data.IsSignedFor(Bot));
        Assert.False(data.IsSignedFor(OtherBot));
        Assert.Equal((987654321L, "Zoë 🚀 + ? & = % O'Hara \"Z\""), data.User());
    }

    /// <summary>Values count as they are without their escapes, in whatever order they come.</summary>
    [Theory]
    [InlineData("%20", "+")]
    [InlineData("%5C%2F", "%5c/")]
    [InlineData("_-", "%5F%2D")]
    [InlineData(Hash, "CA8D66C371F24550F1EFDA61583860160BFA997B3FB1667FE9EBA696B4F57D5C")]
    [InlineData("%F0%9F%9A%80", "🚀")]
    [InlineData("query_id=AAExample0001&", "")]
    public void The_same_data_escaped_otherwise_has_the_same_signature(string old, string other)
    {
        var text = Launch.Replace(old, other, StringComparison.Ordinal);
        if (other.Length == 0)
            text = $"{text}&{old.TrimEnd('&')}";

        var data = InitData.Read(text);

        Assert.True(data.IsSignedFor(Bot));
        Assert.Equal(Hash, Convert.ToHexStringLower(data.Hash));
    }

    /// <summary>Who reads the JSON and writes it again, drops a field that he does not know, or decodes twice, has other bytes.</summary>
    [Theory]
    [InlineData("%5C%2F", "%2F")]
    [InlineData("%5Cu00eb", "%C3%AB")]
    [InlineData("&signature=c2lnbmF0dXJlLW9mLXRlbGVncmFtLW5vdC1jaGVja2Vk_-", "")]
    [InlineData("%20", "%2520")]
    [InlineData("987654321", "987654322")]
    [InlineData("auth_date=1790000000", "auth_date=1790000001")]
    [InlineData("chat_type=private", "chat_type=group")]
    [InlineData("&hash=", "&added=1&hash=")]
    [InlineData("hash=ca8d", "hash=ca8e")]
    public void Other_bytes_are_not_what_was_signed(string old, string other) =>
        Assert.False(InitData.Read(Launch.Replace(old, other, StringComparison.Ordinal)).IsSignedFor(Bot));

    [Theory]
    [InlineData("", 400, "invalid_value")]
    [InlineData(Fields, 401, "init_data_unsigned")]
    [InlineData($"{Fields}&hash=", 401, "init_data_invalid")]
    [InlineData($"{Fields}&hash={Hash}0", 401, "init_data_invalid")]
    [InlineData($"{Fields}&hash={Hash}&hash={Hash}", 401, "init_data_invalid")]
    [InlineData($"{Launch}&user=%7B%7D", 401, "init_data_invalid")]
    [InlineData($"{Launch}&", 401, "init_data_invalid")]
    [InlineData($"{Launch}&x", 401, "init_data_invalid")]
    [InlineData($"{Launch}&x=%", 401, "init_data_invalid")]
    [InlineData($"{Launch}&x=%4", 401, "init_data_invalid")]
    [InlineData($"{Launch}&x=%g0", 401, "init_data_invalid")]
    [InlineData($"{Launch}&x%3D1=2", 401, "init_data_invalid")]
    [InlineData($"{Launch}&x=1%0Auser=2", 401, "init_data_invalid")]
    public void What_cannot_have_been_signed_is_refused_with_a_code(string text, int status, string code)
    {
        var problem = Assert.Throws<ProblemException>(() => InitData.Read(text)).Problem;

        Assert.Equal((status, code, "initData"), (problem.Status, problem.Code, problem.Param));
    }

    [Fact]
    public void More_fields_or_characters_than_Telegram_sends_are_not_read()
    {
        var many = string.Join('&', Enumerable.Range(0, 100).Select(i => $"f{i}=1"));

        Assert.Equal(401, Assert.Throws<ProblemException>(() => InitData.Read($"{many}&hash={Hash}")).Problem.Status);
        Assert.Equal(400, Assert.Throws<ProblemException>(() => InitData.Read(new('a', InitData.MaxLength + 1))).Problem.Status);
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(24 * 3600, null)]
    [InlineData(24 * 3600 + 1, "init_data_expired")]
    [InlineData(25 * 3600, "init_data_expired")]
    [InlineData(-60, null)]
    [InlineData(-61, "init_data_in_future")]
    public void It_is_taken_for_as_long_as_the_bot_says_and_a_minute_before(int age, string? code) => Assert.Equal(
        code, InitData.Read(Launch).Refusal(DateTimeOffset.FromUnixTimeSeconds(SignedAt + age), 24 * 3600)?.Code);

    [Theory]
    [InlineData("auth_date=1790000000", "auth_date=")]
    [InlineData("auth_date=1790000000", "auth_date=-1")]
    [InlineData("auth_date=1790000000", "auth_date=99999999999999999999")]
    [InlineData("&auth_date=1790000000", "")]
    public void Without_a_time_it_is_not_taken(string old, string other) => Assert.Equal(
        "init_data_invalid",
        InitData.Read(Launch.Replace(old, other, StringComparison.Ordinal))
            .Refusal(DateTimeOffset.FromUnixTimeSeconds(SignedAt), 24 * 3600)?.Code);

    [Theory]
    [InlineData("chat_type=private")]
    [InlineData("user=null")]
    [InlineData("user=%7B%22first_name%22%3A%22Ada%22%7D")]
    [InlineData("user=%7B%22id%22%3A%221%22%7D")]
    [InlineData("user=%7B%22id%22%3A0%7D")]
    [InlineData("user=%7B%22id%22%3A1.5%7D")]
    [InlineData("user=%7B")]
    [InlineData("user=%7B%22id%22%3A1%2C%22first_name%22%3A%22%5Cud800%22%7D")]
    public void An_app_that_nobody_has_opened_is_for_nobody(string field) => Assert.Equal(
        400, Assert.Throws<ProblemException>(() => InitData.Read($"{field}&hash={Hash}").User()).Problem.Status);

    [Theory]
    [InlineData("", null)]
    [InlineData("%2C%22first_name%22%3A%22%20%22", null)]
    [InlineData("%2C%22first_name%22%3A%22a%5Cu0000%22", null)]
    [InlineData("%2C%22first_name%22%3A%22Ada%22%2C%22last_name%22%3A%22%22", "Ada")]
    public void A_name_that_no_customer_may_have_is_left_out(string more, string? name) =>
        Assert.Equal((7L, name), InitData.Read($"user=%7B%22id%22%3A7{more}%7D&hash={Hash}").User());

    [Theory]
    [InlineData("""{"id":"a","token":"1:AAxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}""", null)]
    [InlineData("""{"id":"a b","token":"1:AAxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}""", "telegramBots[0].id")]
    [InlineData("""{"id":"a"}""", "telegramBots[0].token")]
    [InlineData("""{"id":"a","token":"AAxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}""", "telegramBots[0].token")]
    [InlineData("""{"id":"a","token":"1:AAxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","maxAgeSeconds":604801}""", "telegramBots[0].maxAgeSeconds")]
    [InlineData("""{"id":"a","token":"1:AAxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","mintWindowSeconds":0}""", "telegramBots[0].mintWindow")]
    [InlineData("""{"id":"a","token":"1:AAxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","ttlSeconds":3601}""", "telegramBots[0].ttlSeconds")]
    public void A_bot_of_a_seed_file_is_checked_by_its_path_and_its_token_is_never_repeated(string bot, string? path)
    {
        var json = System.Text.Encoding.UTF8.GetBytes(
            $$"""{"organizations":[{"name":"o","projects":[{"name":"p","telegramBots":[{{bot}}]}]}]}""");

        var mistake = Record.Exception(() => SeedReader.Read(json, _ => null))?.Message;

        Assert.Equal(path is null, mistake is null);
        if (path is not null)
            Assert.StartsWith($"organizations[0].projects[0].{path}", mistake, StringComparison.Ordinal);
        Assert.DoesNotContain("AAxx", mistake ?? "", StringComparison.Ordinal);
    }
}
