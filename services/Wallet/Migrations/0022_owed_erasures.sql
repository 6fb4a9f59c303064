-- Work that is owed: what is erased of customers, and what counters get. No instance of the version before may run any more: the index of
-- the usage log takes as long as that is, and nothing is booked meanwhile.

lock table account in exclusive mode; -- see 0018

-- Customers of whom what says who they were is to leave. Erased ones stay, so that none is read through again and again.
create table erasure (
    customer     uuid        primary key,
    step         smallint    not null default 0, -- those before it are done
    after_id     uuid,                           -- how far this one is
    after_number bigint,
    attempts     smallint    not null default 0, -- in vain
    due_at       timestamptz not null,
    done_at      timestamptz
);
create index erasure_by_time on erasure (due_at) where done_at is null;

create index account_by_owner on account (owner, kind) where owner is not null;

-- Openings that were tried in vain come behind those that were not, and later each time.
alter table owed_opening add attempts smallint not null default 0;
drop index owed_opening_by_time;
create index owed_opening_by_turn on owed_opening (attempts, due_at);

-- Requests of which money paid less than was counted on their counters.
create index usage_record_of_absorbed on usage_record (customer, started_at) where absorbed > 0;
