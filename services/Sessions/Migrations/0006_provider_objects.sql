-- What providers keep for customers: files and batches. Callers know them by our ids and see only their own.

create table provider_object (
    id            text primary key, -- as handed to callers
    kind          text        not null check (kind in ('message_batch', 'file', 'batch')),
    project_id    uuid        not null references project,
    test          boolean     not null,
    customer_id   uuid        not null references customer,
    provider_id   text        not null, -- no reference: it may outlive the connection
    provider_key  text        not null,
    upstream_id   text        not null, -- the provider's own
    terms         jsonb,                -- what its lines may cost: prices as they were
    input_file    text,
    request_id    uuid,                 -- the paid request that created a batch
    created_at    timestamptz not null,
    deleted_at    timestamptz,
    -- Of batches only. Without a time of the next check there is nothing to settle any more.
    next_check_at timestamptz,
    checks        integer     not null default 0,
    settled_at    timestamptz,
    cost          bigint,               -- nano-dollars; null although settled: never found, it stays at its bound
    meters        bigint[]
);
create index provider_object_by_owner on provider_object (customer_id, kind, created_at desc, id desc);
create index provider_object_by_check on provider_object (next_check_at) where next_check_at is not null;
