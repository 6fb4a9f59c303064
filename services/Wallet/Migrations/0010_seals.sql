-- What was proved of the books, so that the next proof starts there.

create table seal (
    account   uuid primary key,
    version   bigint not null, -- entries up to it were read and right
    balance   bigint not null, -- what was posted then, of counters without their opening
    spent     bigint not null,
    topped_up bigint not null
);

-- What roll-ups of the days from sealed.days_from on came to at the last proof.
create table rollup_seal (
    project  uuid    not null,
    test     boolean not null,
    sums     numeric[] not null,
    primary key (project, test)
);

create table sealed (
    one       boolean primary key default true check (one), -- it has one row
    until     timestamptz not null, -- roll-ups of quarters before it do not change any more
    proved_at timestamptz,          -- what was booked before it was read and right; null: all is to be read
    days_from timestamptz
);
insert into sealed (until) values ('epoch');

-- Counters whose cycle ended long ago are deleted. Accounts of money are not, whoever tries.
create index account_by_end on account (ends_at) where kind between 2 and 6;
create trigger money_stays before delete on account
    for each row when (old.kind not between 2 and 6) execute function ledger_rows_are_final();
create trigger final before truncate on account execute function ledger_rows_are_final();

-- What of a counter was used while no claim asked it: no usage row names it for that.
create table counter_opening (
    register uuid primary key,
    amount   bigint not null check (amount > 0)
);
create index usage_record_by_customer on usage_record (customer, started_at) where customer is not null;
