-- Corrections and erasures by whose they are, and openings of client sessions by their number.

lock table account in exclusive mode; -- see 0018

-- Whose request was corrected, so that what a customer's cycle has in corrections is found without those of all others. Corrections of
-- months that are dropped stay without: nobody asks for their cycles any more.
alter table correction add customer uuid;
alter table correction disable trigger final;
update correction c set customer = u.customer from usage_record u where u.request_id = c.request_id;
alter table correction enable trigger final;
create index correction_by_customer on correction (customer, created_at) where customer is not null;

-- What was erased before has one more step now.
update erasure set done_at = null where done_at is not null;

-- The date of bookings stands still after a leap of the clock. A client session may open twice in that time.
alter table window_opening add number integer not null default 0; -- of those of its session
alter table window_opening drop constraint window_opens_once;
alter table window_opening add constraint window_opens_once primary key (register, session, created_at, number);
