-- The lines of a lease as arrays in its row, with what counters do not have yet of what was used: a row for each line and one for each
-- counter was most of what a settlement cost. No instance of the version before may run any more.

lock table account in exclusive mode; -- see 0018

alter table lease
    add accounts      uuid[]   not null default '{}', -- one line each; the arrays beside it are in the same order
    add holds         bigint[] not null default '{}', -- granted, and neither used nor given back: what is reserved of the account
    add uses          bigint[] not null default '{}',
    add returns       bigint[] not null default '{}',
    add latest_grants bigint[] not null default '{}', -- answer to the lease's latest fence, for a repeated call
    add unposted_uses bigint[] not null default '{}', -- of uses: what its counter does not have yet, and still has as reserved
    add constraint lines_are_whole check (
        cardinality(holds) = cardinality(accounts) and cardinality(uses) = cardinality(accounts)
        and cardinality(returns) = cardinality(accounts) and cardinality(latest_grants) = cardinality(accounts)
        and cardinality(unposted_uses) = cardinality(accounts)),
    add constraint never_more_than_granted check (
        0 <= all(holds) and 0 <= all(uses) and 0 <= all(returns) and 0 <= all(unposted_uses));
alter table lease set (fillfactor = 50); -- rows are longer now, and change as often: leave room for updates in place

update lease set
    accounts = l.accounts, holds = l.holds, uses = l.uses, returns = l.returns, latest_grants = l.latest_grants,
    unposted_uses = array_fill(0::bigint, array[cardinality(l.accounts)])
from (
    select lease as id, array_agg(account order by account) accounts,
        array_agg(granted - consumed - returned order by account) holds, array_agg(consumed order by account) uses,
        array_agg(returned order by account) returns, array_agg(last_granted order by account) latest_grants
    from lease_line group by lease) l
where lease.id = l.id;

-- The leases that have a line of an account. An index over the arrays would keep the accounts of all counters that ever were.
create table lease_account (
    account uuid not null,
    lease   uuid not null,
    primary key (account, lease)
);
insert into lease_account select unnest(accounts), id from lease;

drop table lease_line;
create view lease_line as
select id as lease, account, held + consumed + returned as granted, consumed, returned, last_granted, unposted
from lease, unnest(accounts, holds, uses, returns, latest_grants, unposted_uses)
    as line (account, held, consumed, returned, last_granted, unposted);

-- What leases have for a counter. It was used, and is in what is reserved.
create function unposted_of(counter uuid) returns bigint language sql stable as $$
    select coalesce(sum(unposted_uses[array_position(accounts, counter)]), 0)::bigint
    from lease_account found join lease on lease.id = found.lease where found.account = counter
$$;

create or replace function held_until(balance uuid, moment timestamptz) returns bigint language sql stable as $$
    select coalesce(sum(holds[array_position(accounts, balance)]), 0)::bigint
    from lease_account found join lease on lease.id = found.lease
    where found.account = balance and lease.until <= moment
$$;
