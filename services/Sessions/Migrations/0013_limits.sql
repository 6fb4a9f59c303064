-- What customers may use in each cycle. How much they have used is the ledger's to know: its counters follow from what is written here,
-- and from nothing but unit, cycle, anchor, zone and selector.

create table customer_limit (
    customer_id uuid      not null references customer,
    id          text      not null, -- the caller's own, or one that follows from what is counted
    position    integer   not null,
    unit        text      not null check (unit in ('tokens', 'requests', 'usd', 'windows')),
    amount      bigint    not null check (amount > 0), -- of usd in nano-dollars
    cycle       text      not null, -- hour, day, week, month, quarter, year, or days:n
    anchor      timestamp,          -- local in the zone
    time_zone   text      not null,
    models      text[] check (models <> '{}'),
    keys        uuid[] check (keys <> '{}'),
    primary key (customer_id, id)
);

create table limit_raise (
    id          uuid primary key,
    customer_id uuid        not null,
    limit_id    text        not null,
    amount      bigint      not null check (amount > 0),
    starts_at   timestamptz not null,
    ends_at     timestamptz not null check (ends_at > starts_at),
    foreign key (customer_id, limit_id) references customer_limit on delete cascade
);
create index limit_raise_by_limit on limit_raise (customer_id, limit_id);
