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
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            using var script = new StreamReader(typeof(WalletDb).Assembly.GetManifestResourceStream("0001_ledger.sql")!);
            migrationBuilder.Sql(script.ReadToEnd());
        }
    }
}
