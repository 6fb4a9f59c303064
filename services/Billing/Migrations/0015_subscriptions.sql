-- Plans that customers pay by the month. Amounts are cents, in the ledger's parts nano-dollars.

-- What a plan costs at Stripe, where its description names no price of its own there. A plan that costs something else has another row.
create table plan_price (
    id         uuid primary key,           -- also the key under which Stripe is asked for it
    project    uuid        not null,
    livemode   boolean     not null,
    plan       text        not null,
    cents      bigint      not null check (cents > 0),
    keyed_at   timestamptz not null default now(),
    stripe     text unique,                -- Stripe's price; null until we know it
    unique (project, livemode, plan, cents)
);

-- What a token beyond a plan's quota costs at Stripe, as a price of usage.
create table overage_price (
    id         uuid primary key,           -- also the key under which Stripe is asked for it
    project    uuid        not null,
    livemode   boolean     not null,
    plan       text        not null,
    picos      bigint      not null check (picos > 0), -- USD per million tokens, in pico-dollars
    keyed_at   timestamptz not null default now(),
    stripe     text unique,
    unique (project, livemode, plan, picos)
);

-- Stripe's customers that have subscriptions, by ours.
create table subscriber (
    customer     uuid        not null,
    livemode     boolean     not null,
    organization uuid        not null,
    id           uuid        not null unique, -- the key under which Stripe is asked for it
    keyed_at     timestamptz not null default now(),
    stripe       text unique,              -- null until we know it
    primary key (customer, livemode)
);

-- What Sessions is told has a number of this, in the order in which it was decided.
create sequence plan_version;

create table subscription (
    id           uuid primary key,         -- also the key under which Stripe is asked for the checkout
    organization uuid        not null,
    project      uuid        not null,
    customer     uuid        not null,
    test         boolean     not null,
    livemode     boolean     not null,     -- as Stripe must say it
    plan         text        not null,     -- in force, or to be
    cents        bigint      not null,     -- what that costs
    next_plan    text,                     -- in force with the next period that is paid
    trial_days   integer     not null default 0, -- that were offered
    status       text        not null default 'new', -- new, open, expired of its checkout, then Stripe's
    checkout     text unique,              -- Stripe's; null until we know it
    url          text,                     -- of the checkout, while it is open
    expires_at   timestamptz,
    stripe       text unique,              -- Stripe's subscription
    started_at   timestamptz,
    anchor       timestamptz,              -- Stripe's billing cycle anchor
    trial_end    timestamptz,
    paid_to      timestamptz,              -- the end of the last period that was paid, or of the trial
    cancel_at    timestamptz,
    ends_at      timestamptz,              -- of the plan
    ended_at     timestamptz,              -- it is over: the customer may have another one
    version      bigint      not null default 0, -- of what Sessions is to know; 0: nothing
    told         bigint      not null default 0, -- of what it knows
    created_at   timestamptz not null default now(),
    looked_at    timestamptz not null default 'epoch', -- Stripe has said so at this moment or later
    asked_at     timestamptz not null default now(),   -- by the reconciler
    held_until   timestamptz not null default 'epoch', -- by a call that changes its plan at Stripe
    metered      boolean     not null default false,   -- its invoices ask for what was used beyond the quota
    usage_at     timestamptz not null default now(),   -- when that was counted last
    constraint what_is_told_says_from_when_to_when
        check (version = 0 or (started_at is not null and anchor is not null and paid_to is not null))
);
create unique index one_subscription_of_a_customer on subscription (customer, livemode) where ended_at is null;
create index subscription_by_project on subscription (project, test, id desc);
create index subscription_by_customer on subscription (customer, id desc);
create index subscription_to_look_at on subscription (asked_at) where ended_at is null;
create index subscription_to_tell on subscription (version) where told < version;

-- What the ledger is to book of invoices that were paid, then has booked.
create table plan_payment (
    id           uuid primary key,         -- also the ledger's post
    invoice      text        not null unique, -- Stripe's
    subscription uuid        not null references subscription,
    intent       text unique,              -- Stripe's, that has paid it; null: none has
    plan         text        not null,     -- in force when it was paid
    name         text        not null,     -- of the plan, as it is printed
    cents        bigint      not null check (cents > 0),
    margin       bigint      not null check (margin > 0),
    fee          bigint      not null check (fee >= 0),
    booked       boolean     not null default false,
    documented   boolean     not null default false,
    document_at  timestamptz not null default now(), -- when its document is tried next
    paid_at      timestamptz not null,
    created_at   timestamptz not null default now(),
    looked_at    timestamptz not null default 'epoch', -- for what has gone back of it
    constraint a_payment_is_its_parts check (cents * 10000000 = margin + fee)
);
create index plan_payment_by_subscription on plan_payment (subscription, id desc);
create index plan_payment_unbooked on plan_payment (created_at) where not booked;

create index subscription_metered on subscription (usage_at) where metered;

-- What of the tokens beyond a quota Stripe is told of, each time what is new since the last.
create table usage_report (
    id           uuid primary key,         -- also what Stripe knows it by, so that it counts once
    subscription uuid        not null references subscription,
    month        timestamptz not null,     -- in which they were used: its beginning
    tokens       bigint      not null check (tokens > 0),
    at           timestamptz not null,     -- in which of Stripe's periods they are to be
    sent         boolean     not null default false,
    created_at   timestamptz not null default now()
);
create index usage_report_by_month on usage_report (subscription, month);
create index usage_report_unsent on usage_report (created_at) where not sent;
create trigger final before delete or truncate on usage_report execute function payments_are_final();

-- What the ledger is to take back of a payment, or to give again (below zero), one after the other.
create table plan_reversal (
    payment      uuid        not null references plan_payment,
    number       integer     not null,
    margin       bigint      not null check (margin <> 0),
    fee          bigint      not null,
    booked       boolean     not null default false,
    documented   boolean     not null default false,
    document_at  timestamptz not null default now(),
    created_at   timestamptz not null default now(),
    primary key (payment, number)
);
create index plan_reversal_unbooked on plan_reversal (created_at) where not booked;

create index plan_payment_without_document on plan_payment (created_at) where booked and not documented;
create index plan_reversal_without_document on plan_reversal (created_at) where booked and not documented;

-- Documents of them have numbers of the same series.
alter table invoice
    alter column payment drop not null,
    add column plan_payment uuid references plan_payment,
    drop constraint invoice_source_fkey, -- a posting, a payment for a plan, or what went back of one
    drop constraint invoice_reason_check,
    drop constraint a_document_is_its_parts,
    drop constraint only_a_top_up_corrects_nothing,
    add constraint a_document_is_of_one_payment check ((payment is null) = (plan_payment is not null)),
    add constraint invoice_reason_check check (reason in (
        'top_up', 'refund', 'refund_failed', 'dispute', 'dispute_won', 'subscription', 'subscription_refund', 'subscription_restored')),
    add constraint a_document_is_its_parts check (
        cents * 10000000 = net + margin + fee and (net > 0) = (plan_payment is null) and net >= 0 and margin >= 0 and fee >= 0),
    add constraint only_what_is_sold_corrects_nothing check ((reason in ('top_up', 'subscription')) = (corrects is null));
create index invoice_by_plan_payment on invoice (plan_payment);

create trigger final before delete or truncate on plan_reversal execute function payments_are_final();
create trigger final before delete or truncate on plan_payment execute function payments_are_final();
