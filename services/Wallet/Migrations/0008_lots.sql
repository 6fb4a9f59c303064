-- Lots: the parts of a balance. They say which of them an entry has filled or emptied, and what has expired.

-- What never expires and cost nothing is one lot, the balance's own: it has the account's id and needs no row while it is the base.
create table lot (
    wallet     uuid        not null,
    id         uuid        not null, -- of the post that made it
    kind       smallint    not null,
    since      bigint      not null, -- the account's entry that made it: the order of age
    amount     bigint,               -- null for the balance's own lot, which any number of grants fill
    remaining  bigint,               -- null for the base, which has what the others leave of the balance
    paid       bigint      not null,
    expires_at timestamptz,
    reference  text,
    created_at timestamptz not null,
    primary key (wallet, id),
    constraint lot_has_what_is_left_of_it check (remaining >= 0 and (amount is null or remaining <= amount)),
    constraint base_never_expires check (remaining is not null or expires_at is null)
) with (fillfactor = 70);

alter table account
    add base_lot uuid,                 -- the lot that is spent last; null: the balance's own
    add lots     int not null default 0, -- others that have something left: with none, no lot is read or written
    add constraint lots_are_counted check (lots >= 0);

alter table entry add lot uuid; -- null: the account's own

alter table lease add until timestamptz; -- the first expiry of a lot that the lease may have been granted from

-- By lots of that one balance which were not its own alone; else null.
alter table usage_record add lots uuid[], add lot_paid bigint[];
alter table correction add lots uuid[], add lot_paid bigint[];

-- What leases hold of a balance that may take from lots which expire then or later.
create function held_until(balance uuid, moment timestamptz) returns bigint language sql stable as $$
    select coalesce(sum(granted - consumed - returned), 0)::bigint from lease_line join lease on lease.id = lease_line.lease
    where lease_line.account = balance and lease.until <= moment
$$;

-- What a balance shows: all that was posted, without what has expired and no lease from before that moment holds. The ledger
-- books the same amount with the next command on the balance.
create function shown_balance(a account) returns bigint language sql stable as $$
    select case when a.lots = 0 then a.posted else a.posted - least(a.posted - a.reserved, greatest(0, (
        select max(ended.upto - held_until(a.id, ended.expires_at)) from (
            select expires_at, sum(remaining) over (order by expires_at) upto from lot
            where wallet = a.id and remaining > 0 and expires_at <= now()) ended)))::bigint end
$$;
