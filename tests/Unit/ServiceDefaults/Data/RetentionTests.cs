using System.Reflection;
using System.Text.RegularExpressions;
using LlmGateway.ServiceDefaults;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>Every table of the migrations says how long its rows are kept, so that none grows without anybody having decided it.</summary>
public sealed partial class RetentionTests
{
    [Theory]
    [InlineData(typeof(LlmGateway.Wallet.TableRetention), typeof(LlmGateway.Wallet.WalletDb))]
    [InlineData(typeof(LlmGateway.Sessions.TableRetention), typeof(LlmGateway.Sessions.SessionsDb))]
    [InlineData(typeof(LlmGateway.Billing.TableRetention), typeof(LlmGateway.Billing.BillingDb))]
    [InlineData(typeof(LlmGateway.Webhooks.TableRetention), typeof(LlmGateway.Webhooks.WebhooksDb))]
    public void Every_table_says_how_long_its_rows_are_kept(Type retention, Type context)
    {
        var tables = (IReadOnlyList<Retention>)retention.GetField("All", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!;

        Assert.Equal(
            Created(context.Assembly).Distinct().Order(StringComparer.Ordinal),
            tables.Select(table => table.Table).Order(StringComparer.Ordinal));
        Assert.All(tables, table => Assert.NotEmpty(table.Reason));
    }

    [Fact]
    public void A_table_that_is_read_whole_is_cleared_once_a_day_and_the_others_in_each_round()
    {
        var (daily, often) = (Windows with { Every = TimeSpan.FromDays(1) }, Windows with { Every = default });
        Assert.True(daily.IsDue(null) && daily.IsDue(TimeSpan.FromDays(1)) && often.IsDue(TimeSpan.FromMinutes(10)));
        Assert.False(daily.IsDue(TimeSpan.FromHours(23)) || Retention.Kept("entry", "the books").IsDue(null));
        Assert.Equal(daily, Windows);
    }

    /// <summary>A message moves the time after which its row is over, so an index on that would make each message dearer.</summary>
    static Retention Windows => Assert.Single(LlmGateway.Wallet.TableRetention.All, rows => rows.Table == "session_window");

    [Theory]
    [InlineData("account"), InlineData("entry"), InlineData("transfer"), InlineData("usage_record"), InlineData("correction")]
    public void Money_is_never_deleted(string table) =>
        Assert.Null(Assert.Single(LlmGateway.Wallet.TableRetention.All, rows => rows.Table == table).Over);

    static IEnumerable<string> Created(Assembly service) =>
        service.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal))
            .SelectMany(name => CreateTable().Matches(Text(service, name)).Select(match => match.Groups["table"].Value));

    static string Text(Assembly service, string name)
    {
        using var reader = new StreamReader(service.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"^create table (?<table>\w+)", RegexOptions.Multiline)]
    private static partial Regex CreateTable();
}
