-- Where owners' systems are told, and what is on its way to them.

create table endpoint (
    id              uuid        primary key,
    organization    uuid        not null,
    project         uuid        not null,
    test            boolean     not null,
    url             text        not null,
    enabled_events  text[], -- null: all
    status          smallint    not null default 0, -- 0 active, 1 disabled, 2 deleted
    disabled_at     timestamptz,
    disabled_reason text, -- of us; null where its owner did it
    created         timestamptz not null default now(),
    failures        integer     not null default 0, -- attempts since the last one that succeeded
    failing_since   timestamptz, -- the first of them
    paused_until    timestamptz not null default '-infinity', -- nothing is sent before
    holder          uuid, -- the worker that sends to it
    held_until      timestamptz not null default '-infinity', -- another worker may take it from then on
    constraint disabled_has_its_time check ((status = 1) = (disabled_at is not null) or status = 2)
);
create index endpoint_by_project on endpoint (project, test);

-- What deliveries are signed with: all that have not expired. The newest has no expiry.
create table endpoint_secret (
    id            uuid        primary key,
    endpoint      uuid        not null references endpoint on delete cascade,
    sealed_secret text        not null,
    created       timestamptz not null default now(),
    expires_at    timestamptz
);
create index endpoint_secret_by_endpoint on endpoint_secret (endpoint);

-- An event on its way to an endpoint. It is made in the transaction in which the event is kept.
create table delivery (
    id          uuid        primary key default gen_random_uuid(),
    event       uuid        not null references event,
    endpoint    uuid        not null references endpoint,
    subject     uuid        not null, -- of the event
    sequence    bigint      not null, -- of the event
    state       smallint    not null default 0, -- 0 pending, 1 delivered, 2 failed, 3 expired
    attempts    integer     not null default 0, -- all of them: who writes the next one has read this number
    tries       integer     not null default 0, -- those since it was last begun anew
    created     timestamptz not null default now(),
    next_at     timestamptz, -- null once it is over
    finished_at timestamptz,
    constraint an_event_goes_once_to_an_endpoint unique (event, endpoint),
    constraint pending_or_over check ((state = 0) = (next_at is not null) and (state = 0) = (finished_at is null))
);
create index delivery_due on delivery (endpoint, next_at, sequence) where state = 0;
create index delivery_by_endpoint on delivery (endpoint, created desc, id desc);
create index delivery_by_end on delivery (finished_at) where state <> 0;
create index delivery_by_age on delivery (created) where state = 0;

-- One row for each request that a receiver was sent.
create table attempt (
    delivery   uuid        not null references delivery on delete cascade,
    number     integer     not null,
    at         timestamptz not null,
    latency_ms integer     not null,
    status     integer, -- of the answer; null where there was none
    error      text, -- why there was none
    address    text, -- that was connected to
    answer     text, -- its first 4 KB
    next_at    timestamptz, -- null: there is no next one
    primary key (delivery, number)
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
