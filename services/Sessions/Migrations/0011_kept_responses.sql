-- Answers of POST /v1/responses with the conversations before them, for their customers alone. Proxies seal them; nobody reads them here.

create table kept_response (
    id          uuid primary key, -- the request that made it
    customer_id uuid        not null references customer,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    bytes       bigint      not null,
    marks       bigint[]    not null, -- keyed hashes of the ids of the items in it
    sealed      bytea       not null
);
alter table kept_response alter column sealed set storage external; -- what is sealed cannot be compressed
create index kept_response_by_owner on kept_response (customer_id, created_at desc, id desc) include (bytes, expires_at);
create index kept_response_by_item on kept_response using gin (marks) with (fastupdate = off);
create index kept_response_by_expiry on kept_response (expires_at) include (bytes);
