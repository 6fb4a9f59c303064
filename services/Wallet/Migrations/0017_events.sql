-- What the ledger tells others: decided with its cause, numbered for each customer, published afterwards.

alter table account
    add low_mark   bigint,                      -- of a wallet: its owner is told when it falls below
    add thresholds bytea,                       -- of a counter: percentages at which its owner is told; null: the usual ones
    add name       text,                        -- of a counter: what its owner knows it by
    add told       smallint not null default 0; -- of a wallet: flags; of a counter: the highest percentage that was told

create table event_sequence (
    subject uuid primary key,  -- the customer
    last    bigint   not null, -- number of its latest event
    constraint events_are_counted_from_one check (last > 0)
);

create table outbox_message (
    id            uuid primary key,
    type          text        not null,
    body          jsonb       not null,
    created_at    timestamptz not null,
    claimed_until timestamptz not null default 'epoch',
    attempts      integer     not null default 0,
    subject       uuid,                                    -- messages of one subject are published one after the other
    position      bigint      not null generated always as identity
);
create index outbox_message_by_position on outbox_message (position);
create index outbox_message_by_subject on outbox_message (subject, position);
