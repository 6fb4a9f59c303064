-- What developers have earned goes to them: their accounts at Stripe, and payouts. Amounts are cents.

create table connect_account (
    id                uuid primary key,     -- also the key under which Stripe is asked for the account
    organization      uuid        not null,
    project           uuid        not null,
    test              boolean     not null,
    livemode          boolean     not null, -- as Stripe must say it of this account
    country           text,                 -- null: the platform's own
    stripe            text unique,          -- Stripe's account; null until we know it
    details_submitted boolean     not null default false,
    payouts_enabled   boolean     not null default false,
    transfers         text,                 -- Stripe's word for the capability
    due               text[]      not null default '{}', -- what Stripe wants to know now
    disabled_reason   text,
    paused            boolean     not null default false, -- by an operator
    created_at        timestamptz not null default now(),
    looked_at         timestamptz not null default 'epoch', -- Stripe has said so at this moment or later
    gone_at           timestamptz           -- it was cut off, or is not there any more: the next one is another row
);
create unique index one_account_of_a_project on connect_account (project, test) where gone_at is null;

create table payout (
    id           uuid primary key,          -- also the ledger's reservation, and the key under which Stripe is asked for the transfer
    account      uuid        not null references connect_account,
    organization uuid        not null,
    project      uuid        not null,
    test         boolean     not null,
    livemode     boolean     not null,
    destination  text        not null,      -- Stripe's account
    cents        bigint      not null check (cents >= 100),
    status       text        not null default 'new' check (status in ('new', 'reserved', 'paid', 'failed', 'refused')),
    transfer     text unique,               -- Stripe's
    failure_code text,
    failure      text,
    settled      boolean     not null default false, -- the ledger has its end
    automatic    date,                      -- the day whose payout it is; null: somebody asked for it
    actor        text        not null,
    created_at   timestamptz not null default now(),
    looked_at    timestamptz not null default now(),
    constraint what_is_paid_has_a_transfer check ((status = 'paid') = (transfer is not null))
);
create index payout_by_project on payout (project, test, created_at desc, id desc);
create index payout_under_way on payout (looked_at) where status in ('new', 'reserved') or (status in ('paid', 'failed') and not settled);
create unique index one_automatic_payout_a_day on payout (project, test, automatic) where automatic is not null;

-- What came back of a payout, as Stripe knows it.
create table payout_reversal (
    id         text primary key,            -- Stripe's
    payout     uuid        not null references payout,
    cents      bigint      not null check (cents > 0),
    booked     boolean     not null default false,
    created_at timestamptz not null default now()
);
create index payout_reversal_by_payout on payout_reversal (payout);
create index payout_reversal_unbooked on payout_reversal (created_at) where not booked;

-- Projects that want what they have earned paid out by itself.
create table automatic_payout (
    project      uuid        not null,
    test         boolean     not null,
    organization uuid        not null,
    threshold    bigint      not null check (threshold >= 100), -- from which on
    looked_at    timestamptz not null default 'epoch',
    primary key (project, test)
);

-- Events of connected accounts come to an endpoint of their own, signed with another secret.
alter table sandbox_endpoint add column connect boolean not null default false;
alter table sandbox_endpoint drop constraint sandbox_endpoint_pkey, add primary key (url, connect);

create trigger final before delete or truncate on connect_account execute function payments_are_final();
create trigger final before delete or truncate on payout          execute function payments_are_final();
create trigger final before delete or truncate on payout_reversal execute function payments_are_final();
