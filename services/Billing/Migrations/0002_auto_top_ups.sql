-- Cards that are saved, and wallets that are topped up by themselves. Amounts are nano-dollars.

-- Whom Stripe knows a wallet's owner as, and the card that was saved last. One for each of Stripe's worlds.
create table card_holder (
    wallet      uuid        not null,
    livemode    boolean     not null,
    id          uuid        not null unique, -- the key under which Stripe is asked for its customer
    keyed_at    timestamptz not null default now(),
    customer    text unique,                 -- Stripe's; null until we know it
    method      text,                        -- Stripe's PaymentMethod; null: no card is saved
    brand       text,
    last4       text,
    exp_month   integer,
    exp_year    integer,
    fingerprint text,                        -- the same for the same card, whoever has it
    setup       uuid,                        -- the setup that has saved it
    primary key (wallet, livemode)
);

create table card_setup (
    id         uuid primary key,             -- also the key under which Stripe is asked for its SetupIntent
    wallet     uuid        not null,
    livemode   boolean     not null,
    intent     text unique,                  -- Stripe's; null until we know it
    status     text        not null default 'new' check (status in ('new', 'open', 'succeeded', 'canceled')),
    created_at timestamptz not null default now(),
    foreign key (wallet, livemode) references card_holder
);
create unique index one_open_setup_of_a_wallet on card_setup (wallet, livemode) where status in ('new', 'open');

create table auto_top_up (
    wallet       uuid primary key,
    organization uuid        not null,
    project      uuid        not null,
    customer     uuid        not null,
    test         boolean     not null,
    below        bigint      not null check (below > 0),
    amount       bigint      not null check (amount > 0),
    ceiling      bigint      not null,       -- of a calendar month (UTC), in the unit of amount
    status       text        not null default 'active' check (status in ('active', 'paused', 'off')),
    reason       text,                       -- of a pause
    failures     integer     not null default 0,
    not_before   timestamptz,                -- after a decline
    crossing     bigint      not null default 1, -- the fall below that is, or will be, answered next
    tries        integer     not null default 0, -- payments that were begun for it
    payment      uuid references payment,    -- the one that is under way
    due_at       timestamptz not null default now(), -- when somebody looks next
    constraint a_ceiling_allows_one check (ceiling >= amount),
    constraint a_pause_has_a_reason check ((status = 'paused') = (reason is not null))
);
create index auto_top_up_due on auto_top_up (due_at) where status = 'active' or payment is not null;

-- A payment that nobody is there for: which fall below it answers, as which attempt, with what.
alter table payment
    add crossing bigint,
    add attempt integer,
    add holder text,
    add method text,
    add constraint what_is_charged_by_itself_has_a_card
        check (num_nulls(crossing, attempt, holder, method) in (0, 4));
drop index one_open_purchase_of_a_wallet;
create unique index one_open_purchase_of_a_wallet on payment (wallet)
    where status in ('new', 'open', 'processing') and crossing is null;
create unique index one_charge_by_itself_at_a_time on payment (wallet)
    where status in ('new', 'open', 'processing') and crossing is not null;
create unique index one_payment_of_an_attempt on payment (wallet, crossing, attempt) where crossing is not null;
