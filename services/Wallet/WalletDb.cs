using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmGateway.Wallet;

/// <summary>
/// Carries the migrations. The ledger's statements are its business rules, so tables are written and read in SQL (Migrations/*.sql, Writer.cs)
/// and no entity is mapped.
/// </summary>
public sealed class WalletDb(DbContextOptions<WalletDb> options) : DbContext(options)
{
    [DbContext(typeof(WalletDb)), Migration("0001_ledger")]
    sealed class Ledger0001 : Migration
    {
        protected override void Up(MigrationBuilder migrationBuilder) => Run(migrationBuilder, "0001_ledger");
    }

    [DbContext(typeof(WalletDb)), Migration("0002_attempts")]
    sealed class Attempts0002 : Migration
    {
        protected override void Up(MigrationBuilder migrationBuilder) => Run(migrationBuilder, "0002_attempts");
    }

    static void Run(MigrationBuilder migration, string name)
    {
        using var script = new StreamReader(typeof(WalletDb).Assembly.GetManifestResourceStream($"{name}.sql")!);
        migration.Sql(script.ReadToEnd());
    }
}
