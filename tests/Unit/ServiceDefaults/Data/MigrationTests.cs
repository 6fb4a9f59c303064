using System.Reflection;
using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore.Migrations;
using Xunit;

namespace LlmGateway.UnitTests.ServiceDefaults;

/// <summary>A script without its class would never run; a class without its script would end the service at its start.</summary>
public sealed class MigrationTests
{
    [Theory]
    [InlineData(typeof(LlmGateway.Wallet.WalletDb))]
    [InlineData(typeof(LlmGateway.Sessions.SessionsDb))]
    [InlineData(typeof(LlmGateway.Billing.BillingDb))]
    [InlineData(typeof(LlmGateway.Webhooks.WebhooksDb))]
    public void Every_script_has_its_migration(Type context)
    {
        var scripts = context.Assembly.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal));
        var migrations = context.Assembly.GetTypes().Where(type => type.IsSubclassOf(typeof(SqlMigration)))
            .Select(type => $"{type.GetCustomAttribute<MigrationAttribute>()!.Id}.sql");

        Assert.Equal(scripts.Order(StringComparer.Ordinal), migrations.Order(StringComparer.Ordinal));
        Assert.NotEmpty(scripts);
    }
}
