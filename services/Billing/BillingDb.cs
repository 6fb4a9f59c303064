using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmGateway.Billing;

/// <summary>Names the migrations. It maps no entity: the tables are written and read in SQL (<c>Migrations/*.sql</c>).</summary>
public sealed class BillingDb(DbContextOptions<BillingDb> options) : DbContext(options)
{
    [DbContext(typeof(BillingDb)), Migration("0001_payments")]
    sealed class Payments0001 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0002_auto_top_ups")]
    sealed class AutoTopUps0002 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0003_connect")]
    sealed class Connect0003 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0004_invoices")]
    sealed class Invoices0004 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0005_trust")]
    sealed class Trust0005 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0006_promotions")]
    sealed class Promotions0006 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0007_mail")]
    sealed class Mail0007 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0008_repairs")]
    sealed class Repairs0008 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0009_mends")]
    sealed class Mends0009 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0010_customer_mail")]
    sealed class CustomerMail0010 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0011_erasure")]
    sealed class Erasure0011 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0012_void")]
    sealed class Void0012 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0013_shown")]
    sealed class Shown0013 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0014_payments_and_alerts")]
    sealed class PaymentsAndAlerts0014 : SqlMigration;

    [DbContext(typeof(BillingDb)), Migration("0016_found_by_keys")]
    sealed class FoundByKeys0016 : SqlMigration;
}
