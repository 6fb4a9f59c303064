-- A provider's failed attempt points at the request that another provider went on with: that is the id which the caller has.
alter table usage_record add column attempt_of uuid;
create index usage_record_by_attempt on usage_record (attempt_of) where attempt_of is not null;
