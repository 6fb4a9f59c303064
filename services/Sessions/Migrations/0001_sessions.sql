-- Who may call, for whom, and at which price. Amounts are nano-dollars, percentages are parts per million.
-- A secret is kept as a keyed hash, to find it, and as its sealed fingerprint, to tell the caches which copy to drop.

create table organization (
    id         uuid primary key,
    name       text        not null unique,
    created_at timestamptz not null
);

create table project (
    id                uuid primary key,
    organization_id   uuid        not null references organization,
    name              text        not null,
    test              boolean     not null,
    active            boolean     not null,
    markup_ppm        bigint      not null check (markup_ppm >= 0),
    platform_fee_ppm  bigint      not null check (platform_fee_ppm >= 0),
    end_user_sessions boolean     not null,
    allowed_origins   text[]      not null, -- empty: every origin
    low_balance_nanos bigint,
    publishable_key   text        not null unique,
    created_at        timestamptz not null,
    unique (organization_id, name)
);

create table secret_key (
    id                 uuid primary key,
    project_id         uuid        not null references project,
    test               boolean     not null,
    name               text        not null,
    hash               bytea       not null unique,
    sealed_fingerprint text        not null,
    last4              text        not null,
    created_at         timestamptz not null,
    revoked_at         timestamptz
);
create index secret_key_by_project on secret_key (project_id);

create table customer (
    id                  uuid primary key,
    project_id          uuid        not null references project,
    test                boolean     not null,
    external_id         text        not null,
    email               text,
    name                text,
    company             text,
    phone               text,
    status              text        not null check (status in ('Active', 'Suspended', 'Blocked', 'Deleted')),
    wallet_id           uuid unique,
    requests_per_minute integer check (requests_per_minute > 0),
    tokens_per_minute   integer check (tokens_per_minute > 0),
    created_at          timestamptz not null,
    unique (project_id, test, external_id)
);
create index customer_newest_first on customer (project_id, test, created_at desc, id desc);

-- A session and all that it was refreshed into: one scope, one lifetime, one spend cap, revoked together.
create table session_family (
    id          uuid primary key, -- also the account of the spend cap
    customer_id uuid        not null references customer,
    models      text[],           -- null: all that the project allows; empty: none
    ttl_seconds integer     not null check (ttl_seconds between 60 and 3600),
    cap_nanos   bigint check (cap_nanos > 0),
    created_at  timestamptz not null,
    revoked_at  timestamptz
);
create index session_family_by_customer on session_family (customer_id);

create table session (
    id                 uuid primary key,
    family_id          uuid        not null references session_family,
    hash               bytea       not null unique,
    sealed_fingerprint text        not null,
    successors         integer     not null,
    created_at         timestamptz not null,
    expires_at         timestamptz not null
);
create index session_by_family on session (family_id);

create table customer_key (
    id                 uuid primary key,
    customer_id        uuid        not null references customer,
    name               text        not null,
    hash               bytea       not null unique,
    sealed_fingerprint text        not null,
    last4              text        not null,
    models             text[],
    created_at         timestamptz not null,
    expires_at         timestamptz,
    last_used_at       timestamptz,
    revoked_at         timestamptz
);
create index customer_key_by_customer on customer_key (customer_id);

create table provider (
    project_id      uuid    not null references project,
    id              text    not null,
    wire            text    not null,
    base_url        text    not null,
    auth_type       text    not null,
    auth_name       text,
    sealed_secret   text,
    timeout_seconds integer not null check (timeout_seconds > 0),
    retries         integer not null check (retries >= 0),
    on_abort        text    not null,
    query_type      text, -- which pile of call credits a call takes one from
    primary key (project_id, id)
);

create table model (
    project_id        uuid   not null,
    id                text   not null,
    provider_id       text   not null,
    upstream_model    text   not null,
    kind              text   not null,
    context_tokens    bigint not null check (context_tokens > 0),
    max_output_tokens bigint not null check (max_output_tokens >= 0),
    primary key (project_id, id),
    foreign key (project_id, provider_id) references provider
);

create table price_version (
    id         uuid primary key,
    project_id uuid        not null,
    model_id   text        not null,
    prices     jsonb       not null,
    valid_from timestamptz not null,
    foreign key (project_id, model_id) references model
);
create index price_version_newest_first on price_version (project_id, model_id, valid_from desc);

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
    claimed_until timestamptz not null,
    attempts      integer     not null
);
create index outbox_message_by_claim on outbox_message (claimed_until);

create function price_versions_are_final() returns trigger language plpgsql as $$
begin
    raise exception 'a price version is never changed or deleted: usage rows refer to it';
end $$;
create trigger final before update or delete or truncate on price_version execute function price_versions_are_final();
