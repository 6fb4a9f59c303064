-- Codes that give credit. Amounts are nano-dollars.

create table promotion (
    id              uuid primary key,
    organization    uuid        not null,
    project         uuid        not null,
    test            boolean     not null,
    code            text        not null,   -- in capitals
    amount          bigint      not null check (amount > 0),
    expires_at      timestamptz,            -- the code; null: never
    lot_days        integer check (lot_days > 0), -- what it gives, after so many days; null: never
    max_redemptions integer     not null check (max_redemptions > 0),
    per_customer    integer     not null check (per_customer > 0),
    redeemed        integer     not null default 0,
    created_at      timestamptz not null default now(),
    unique (project, test, code),
    constraint no_more_is_redeemed_than_may_be check (redeemed <= max_redemptions)
);

create table redemption (
    id         uuid primary key,            -- also the ledger's post, and the lot that it makes
    promotion  uuid        not null references promotion,
    customer   uuid        not null,
    number     integer     not null check (number > 0), -- of this customer
    wallet     uuid        not null,
    expires_at timestamptz,                 -- the lot
    status     text        not null default 'claimed' check (status in ('claimed', 'booked')),
    created_at timestamptz not null default now(),
    unique (promotion, customer, number)
);
create index redemption_claimed on redemption (created_at) where status = 'claimed';

create trigger final before delete or truncate on redemption execute function payments_are_final();
