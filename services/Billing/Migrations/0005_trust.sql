-- What protects against stolen cards: how much may be topped up, and whose top-ups are frozen. Amounts are nano-dollars.

-- What an operator has set for a project; without a row what the program says.
create table top_up_limits (
    project           uuid    not null,
    test              boolean not null,
    per_day           integer check (per_day > 0),          -- of a customer; null, here and below: any number
    per_card_and_day  integer check (per_card_and_day > 0), -- of a card, whoever has it
    first_amount      bigint  check (first_amount > 0),     -- of a new customer, in a day
    first_days        integer not null check (first_days > 0),
    declines          integer check (declines > 0),         -- of a customer, that freeze its top-ups
    decline_minutes   integer not null check (decline_minutes > 0),
    primary key (project, test)
);

alter table payment add fingerprint text; -- of the card that has paid
create index payment_by_card on payment (project, fingerprint, paid_at) where fingerprint is not null;
create index payment_by_customer on payment (customer, created_at);

create table declined (
    charge      text primary key,            -- Stripe's
    customer    uuid        not null,
    payment     uuid        not null references payment,
    fingerprint text,
    created_at  timestamptz not null
);
create index declined_by_customer on declined (customer, created_at);

create table top_up_freeze (
    customer  uuid primary key,
    project   uuid        not null,
    test      boolean     not null,
    declines  integer     not null,
    frozen_at timestamptz not null default now(),
    lifted_at timestamptz,                   -- by an operator; only later declines count
    lifted_by text
);
create index top_up_freeze_by_age on top_up_freeze (frozen_at) where lifted_at is null;
