using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmGateway.Webhooks;

/// <summary>Names the migrations. It maps no entity: the tables are written and read in SQL (<c>Migrations/*.sql</c>).</summary>
public sealed class WebhooksDb(DbContextOptions<WebhooksDb> options) : DbContext(options)
{
    [DbContext(typeof(WebhooksDb)), Migration("0001_events")]
    sealed class Events0001 : SqlMigration;

    [DbContext(typeof(WebhooksDb)), Migration("0002_deliveries")]
    sealed class Deliveries0002 : SqlMigration;

    [DbContext(typeof(WebhooksDb)), Migration("0003_bounds")]
    sealed class Bounds0003 : SqlMigration;

    [DbContext(typeof(WebhooksDb)), Migration("0004_own_events")]
    sealed class OwnEvents0004 : SqlMigration;
}
