-- What customers have paid, what was given back of it, and what Stripe has told. Amounts are nano-dollars, except cents.

create table payment (
    id              uuid primary key,      -- also the lot that it makes, and the key under which Stripe is asked for its intent
    organization    uuid        not null,
    project         uuid        not null,
    customer        uuid        not null,
    wallet          uuid        not null,
    test            boolean     not null,
    livemode        boolean     not null,  -- as Stripe must say it of this payment
    amount          bigint      not null,  -- what was asked for
    cents           bigint      not null,  -- what the card pays, with the fee
    net             bigint      not null,  -- the wallet's part, the developer's, the platform's: together what the card pays
    margin          bigint      not null,
    fee             bigint      not null,
    status          text        not null default 'new'
        check (status in ('new', 'open', 'processing', 'succeeded', 'canceled')),
    intent          text unique,           -- Stripe's PaymentIntent; null until we know it
    failure_code    text,                  -- of the latest attempt that failed
    failure_message text,
    failed_charges  text[]      not null default '{}', -- the latest attempts that were told of
    created_at      timestamptz not null default now(),
    paid_at         timestamptz,
    looked_at       timestamptz not null default now(), -- when Stripe was asked last
    constraint a_payment_is_its_parts check (cents * 10000000 = net + margin + fee and net > 0 and margin >= 0 and fee >= 0),
    constraint what_is_paid_has_an_intent check (status in ('new', 'canceled') or intent is not null)
);
create unique index one_open_purchase_of_a_wallet on payment (wallet) where status in ('new', 'open', 'processing');
create index payment_by_wallet on payment (wallet, created_at desc);

-- What the ledger is to book, in its order; one at a time of a payment.
create table posting (
    id           uuid primary key,
    payment      uuid        not null references payment,
    number       integer     not null,     -- 0: the top-up
    type         text        not null,
    net          bigint      not null check (net > 0),
    margin       bigint      not null check (margin >= 0),
    fee          bigint      not null check (fee >= 0),
    reference    text        not null,
    refund       uuid,                     -- a refund that is refused when the wallet has not enough
    status       text        not null default 'waiting' check (status in ('waiting', 'booked', 'refused')),
    created_at   timestamptz not null default now(),
    unique (payment, number)
);
create unique index one_posting_at_a_time on posting (payment) where status = 'waiting';

create table refund (
    id           uuid primary key,         -- also the key under which Stripe is asked for it
    payment      uuid        not null references payment,
    cents        bigint      not null check (cents > 0),
    status       text        not null
        check (status in ('new', 'booked', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled', 'refused')),
    stripe       text unique,              -- Stripe's refund; null until we know it
    by_us        boolean     not null,     -- false: made elsewhere, as in Stripe's dashboard
    actor        text,
    reason       text,
    failure      text,
    created_at   timestamptz not null default now(),
    looked_at    timestamptz not null default now()
);
create index refund_by_payment on refund (payment);
create index refund_under_way on refund (looked_at) where status in ('new', 'booked', 'pending', 'requires_action');

create table dispute (
    id         text primary key,           -- Stripe's
    payment    uuid        not null references payment,
    cents      bigint      not null check (cents > 0),
    status     text        not null,       -- Stripe's
    reason     text,
    froze      boolean,                    -- whether the wallet was frozen for it; null: nobody has looked yet
    frozen     boolean     not null default false, -- Wallet has been told; what its owner does afterwards is not undone
    created_at timestamptz not null default now(),
    looked_at  timestamptz not null default now()
);
create index dispute_by_payment on dispute (payment);

-- Everything that Stripe has told, once, as it came.
create table stripe_event (
    id          text        not null,
    livemode    boolean     not null,
    account     text,                      -- a connected account's; null: our own
    type        text        not null,
    api_version text,
    created     timestamptz not null,
    body        bytea       not null,
    owner       uuid        not null,      -- the organization, as far as it is known when the event comes; zeros: nobody's that we know
    received_at timestamptz not null default now(),
    status      text        not null default 'waiting' check (status in ('waiting', 'done', 'ignored', 'parked')),
    attempts    integer     not null default 0,
    next_at     timestamptz not null default now(), -- nobody takes it before: it waits, or somebody works on it
    reason      text,
    primary key (id, livemode)
);
create index stripe_event_waiting on stripe_event (next_at) where status = 'waiting';
create index stripe_event_by_age on stripe_event (received_at);

-- Up to when Stripe's own list of events was read.
create table events_read (
    livemode boolean primary key,
    until    timestamptz not null
);

-- Where the sandbox, when it plays Stripe, sends its events, and with which secret it signs them.
create table sandbox_endpoint (
    url    text primary key,
    id     text not null,
    secret text not null
);

create table event_sequence (
    subject uuid primary key,              -- whose events are numbered together
    last    bigint not null,
    constraint events_are_counted_from_one check (last > 0)
);

create table idempotent_call (
    scope       text        not null,
    key         text        not null,
    input_hash  bytea       not null,
    status      integer,
    sealed_body text,
    started_at  timestamptz not null,
    primary key (scope, key)
);
create index idempotent_call_by_start on idempotent_call (started_at);

create table outbox_message (
    id            uuid primary key,
    type          text        not null,
    body          jsonb       not null,
    created_at    timestamptz not null,
    claimed_until timestamptz not null default 'epoch',
    attempts      integer     not null default 0,
    subject       uuid,
    position      bigint      not null generated always as identity
);
create index outbox_message_by_position on outbox_message (position);
create index outbox_message_by_subject on outbox_message (subject, position);

create function payments_are_final() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never deleted: money was moved for them', tg_table_name;
end $$;
create trigger final before delete or truncate on payment execute function payments_are_final();
create trigger final before delete or truncate on posting execute function payments_are_final();
create trigger final before delete or truncate on refund  execute function payments_are_final();
create trigger final before delete or truncate on dispute execute function payments_are_final();
