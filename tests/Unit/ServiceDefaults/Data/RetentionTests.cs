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
    [InlineData(typeof(LlmGateway.Webhooks.TableRetention), typeof(LlmGateway.Webhooks.WebhooksDb))]
    public void Every_table_says_how_long_its_rows_are_kept(Type retention, Type context)
    {
        var tables = (IReadOnlyList<Retention>)retention.GetField("All", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!;

        Assert.Equal(
            Created(context.Assembly).Distinct().Order(StringComparer.Ordinal),
            tables.Select(table => table.Table).Order(StringComparer.Ordinal));
        Assert.All(tables, table => Assert.NotEmpty(table.Reason));
    }

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
