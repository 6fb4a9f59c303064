using System.Reflection;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmGateway.ServiceDefaults;

/// <summary>
/// A migration that is one embedded SQL script, named as the migration's id. EF knows a migration by its type, so each script has an empty
/// class beside its context; a test holds that none is missing.
/// </summary>
public abstract class SqlMigration : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        var type = GetType();
        var script = $"{type.GetCustomAttribute<MigrationAttribute>()!.Id}.sql";
        using var text = new StreamReader(type.Assembly.GetManifestResourceStream(script)!);
        migrationBuilder.Sql(text.ReadToEnd());
    }
}
