-- Leases that have ended and hold nothing are deleted, so ended ones must be found by their time, too.
drop index lease_by_expiry;
create index lease_by_expiry on lease (expires_at);
