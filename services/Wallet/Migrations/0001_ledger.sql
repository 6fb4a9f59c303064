-- The ledger. Amounts are nano-dollars (units usd, usd_limit) or counts; never a floating point number.
-- Rows of entry, transfer, usage_record and correction are only ever inserted; account and lease_line hold the cached sums.

create table account (
    id           uuid primary key,
    kind         smallint    not null,
    unit         smallint    not null,
    organization uuid        not null,
    project      uuid        not null,
    owner        uuid,
    test         boolean     not null,
    posted       bigint      not null default 0,
    reserved     bigint      not null default 0,
    version      bigint      not null default 0,
    spent        bigint      not null default 0,
    topped_up    bigint      not null default 0,
    frozen       boolean     not null default false,
    created_at   timestamptz not null default now(),
    constraint reserved_is_never_negative check (reserved >= 0),
    -- Kinds from 100 are the house's own accounts: they may go below zero and nothing is ever reserved on them.
    constraint register_is_never_overdrawn check (kind >= 100 or posted - reserved >= 0)
) with (fillfactor = 50); -- balances change often: leave room for updates in place

create table transfer (
    id          uuid primary key, -- derived from the business action, hence once only
    type        smallint    not null,
    description text,
    created_at  timestamptz not null
);

create table usage_record (
    request_id     uuid primary key, -- the header of a usage transfer: one per request, failures included
    organization   uuid        not null,
    project        uuid        not null,
    customer       uuid,
    credential     uuid        not null,
    family         uuid,
    test           boolean     not null,
    endpoint       text        not null,
    model          text        not null,
    provider       text        not null,
    upstream_model text        not null,
    price_version  uuid,
    stream         boolean     not null,
    started_at     timestamptz not null,
    duration_ms    integer     not null,
    first_byte_ms  integer,
    status         smallint    not null,
    outcome        smallint    not null,
    meters         bigint[]    not null,
    cost           bigint      not null check (cost >= 0),
    charged        bigint      not null check (charged between 0 and cost),
    absorbed       bigint      not null check (absorbed between 0 and cost),
    estimated      boolean     not null,
    reason         text,
    raw_usage      text,
    created_at     timestamptz not null
);
create index usage_record_by_project on usage_record (project, created_at);

create table entry (
    account    uuid        not null,
    version    bigint      not null, -- 1, 2, 3 … per account: a gap is a lost row
    transfer   uuid        not null,
    type       smallint    not null,
    amount     bigint      not null check (amount <> 0),
    balance    bigint      not null, -- of the account, after this entry
    created_at timestamptz not null,
    primary key (account, version)
);
-- Entries come in the order of time, at the time of their transfer's header, so the block ranges of that moment hold all of them.
-- A b-tree over transfers would cost every settlement two insertions.
create index entry_by_time on entry using brin (created_at) with (autosummarize = on);

-- A past period priced anew. Not final: it is finished when every request of it has been looked at.
create table rerating (
    id            uuid primary key,
    project       uuid        not null,
    test          boolean     not null,
    model         text        not null,
    starts_at     timestamptz not null,
    ends_at       timestamptz not null,
    price_version uuid        not null,
    prices        text        not null,
    started_at    timestamptz not null default now(),
    finished_at   timestamptz
);

create table correction (
    rerating      uuid        not null,
    request_id    uuid        not null,
    transfer      uuid        not null, -- derived from the two
    price_version uuid        not null,
    old_cost      bigint      not null,
    new_cost      bigint      not null check (new_cost >= 0 and new_cost <> old_cost),
    charged       bigint      not null, -- differences: negative was given back
    absorbed      bigint      not null,
    created_at    timestamptz not null,
    primary key (rerating, request_id),
    constraint borne_by_wallet_or_house check (charged + absorbed in (0, new_cost - old_cost))
);
create index correction_by_request on correction (request_id);

create table lease (
    id           uuid primary key,
    holder       text        not null,
    fence        bigint      not null, -- latest extension
    return_fence bigint      not null, -- latest return
    expires_at   timestamptz not null,
    expired      boolean     not null
) with (fillfactor = 70);
create index lease_by_expiry on lease (expires_at) where not expired;

create table lease_line (
    lease        uuid   not null,
    account      uuid   not null,
    granted      bigint not null,
    consumed     bigint not null,
    returned     bigint not null,
    last_granted bigint not null, -- answer to the lease's latest fence, for a repeated call
    primary key (lease, account),
    constraint never_more_than_granted check (granted >= 0 and consumed >= 0 and returned >= 0 and consumed + returned <= granted)
) with (fillfactor = 70);

-- Not partial on the amounts: an index over columns that change would make every update of them touch the index.
create index lease_line_by_account on lease_line (account);

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

create function ledger_rows_are_final() returns trigger language plpgsql as $$
begin
    raise exception 'rows of % are never changed or deleted', tg_table_name;
end $$;
create trigger final before update or delete or truncate on entry        execute function ledger_rows_are_final();
create trigger final before update or delete or truncate on transfer     execute function ledger_rows_are_final();
create trigger final before update or delete or truncate on usage_record execute function ledger_rows_are_final();
create trigger final before update or delete or truncate on correction   execute function ledger_rows_are_final();
