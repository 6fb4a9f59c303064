using LlmGateway.ServiceDefaults;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmGateway.Wallet;

/// <summary>
/// Names the migrations. It maps no entity: the ledger's statements are its business rules, so its tables are written and read in SQL
/// (<c>Migrations/*.sql</c>, <see cref="BookStore"/>).
/// </summary>
public sealed class WalletDb(DbContextOptions<WalletDb> options) : DbContext(options)
{
    [DbContext(typeof(WalletDb)), Migration("0001_ledger")]
    sealed class Ledger0001 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0002_attempts")]
    sealed class Attempts0002 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0003_leases")]
    sealed class Leases0003 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0004_what_was_asked")]
    sealed class WhatWasAsked0004 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0005_usage_months")]
    sealed class UsageMonths0005 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0006_claims")]
    sealed class Claims0006 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0007_posts")]
    sealed class Posts0007 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0008_lots")]
    sealed class Lots0008 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0009_rollups")]
    sealed class Rollups0009 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0010_seals")]
    sealed class Seals0010 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0011_slots")]
    sealed class Slots0011 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0012_windows")]
    sealed class Windows0012 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0013_lot_seals")]
    sealed class LotSeals0013 : SqlMigration;

    // There has never been a 0014.
    [DbContext(typeof(WalletDb)), Migration("0015_paid_calls")]
    sealed class PaidCalls0015 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0016_credits")]
    sealed class Credits0016 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0017_events")]
    sealed class Events0017 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0018_sums")]
    sealed class Sums0018 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0019_erasure")]
    sealed class Erasure0019 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0020_owed_openings")]
    sealed class OwedOpenings0020 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0021_lots_that_are_left")]
    sealed class LotsThatAreLeft0021 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0022_owed_erasures")]
    sealed class OwedErasures0022 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0023_what_is_covered")]
    sealed class WhatIsCovered0023 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0024_of_customers")]
    sealed class OfCustomers0024 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0025_frozen_by")]
    sealed class FrozenBy0025 : SqlMigration;

    [DbContext(typeof(WalletDb)), Migration("0026_usage_list")]
    sealed class UsageList0026 : SqlMigration;
}
