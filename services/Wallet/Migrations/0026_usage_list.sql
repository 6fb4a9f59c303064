-- The usage log as a list. No instance of the version before may run any more: its corrections would not say of which project they are.
-- The indexes take as long as the log is, and nothing is booked meanwhile.

lock table account in exclusive mode; -- see 0018

-- Of which project the request was that was corrected, so that its corrections are found without those of all others. Those of months that
-- are dropped stay without: nobody lists them any more.
alter table correction add project uuid;
alter table correction disable trigger final;
update correction c set project = u.project from usage_record u where u.request_id = c.request_id;
alter table correction enable trigger final;
create index correction_by_project on correction (project, created_at) where project is not null;

-- A customer's requests in the order of booking, which is that of the list.
create index usage_record_by_customer_booking on usage_record (customer, created_at) where customer is not null;

-- Requests of which the time of booking does not nearly say when they began. There are few.
create index usage_record_slow on usage_record (project, created_at) where created_at - started_at > interval '10 minutes';
