-- Counters that are to get what was used of them while no limit asked them. Each is done at once where that is fast, and once more when
-- what ran meanwhile has ended.

create table owed_opening (
    register uuid        primary key,
    asked    jsonb       not null, -- whose, and what the counter counts: OpenCounters with this counter alone
    due_at   timestamptz not null
);
create index owed_opening_by_time on owed_opening (due_at);

-- A batch counts its lines, which roll-ups do not have.
create index usage_record_of_batches on usage_record (customer, started_at) where reason = 'batch';
