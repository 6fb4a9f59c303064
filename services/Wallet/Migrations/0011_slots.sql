-- Slots: requests that run. What a silent proxy holds of them is freed long before its leases end.

create table holder (
    holder  text primary key,
    seen_at timestamptz not null,
    epoch   uuid        not null, -- another one after each time that it was gone
    gone    boolean     not null
) with (fillfactor = 50); -- each row changes four times a second

alter table lease
    add slots smallint not null default 0, -- 0 it has none, 1 it may have some, 2 they were freed, and it can have no more
    add constraint slots_are_none_held_or_freed check (slots between 0 and 2);
create index lease_with_slots on lease (holder) where slots = 1;
