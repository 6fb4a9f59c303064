-- Reads that take as long as what is left or what was booked, and not as long as everything that ever was.

lock table account in exclusive mode; -- see 0018

-- Lots that are used up are looked for by nobody but the proof. An index over what remains would be written with every settlement.
alter table lot add used_up boolean not null generated always as (coalesce(remaining = 0, false)) stored;
create index lot_with_something_left on lot (wallet) where not used_up;

-- What was booked since a seal. Rows stand in the order of booking, so ranges of blocks are enough and cost a booking next to nothing.
create index transfer_by_booking on transfer using brin (created_at) with (autosummarize = on);

-- Counters without an end, or with one in the year 9000, were never deleted. A claim on one that is alive gives it its own end.
update account set ends_at = created_at + interval '366 days' where kind = 6 and ends_at is null;
update account set ends_at = now() + interval '366 days' where kind = 2 and ends_at > now() + interval '366 days';
