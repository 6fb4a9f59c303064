-- Roll-ups are made from the log, by the time of booking, and no longer by each batch. No instance of the version before may run any more:
-- what it adds to them would be added a second time. The log is summed up and gets an index, so this takes as long as there is much of it.

-- Batches of an instance that runs all the same lock accounts first. Whoever changes more tables that they write waits for them here and
-- keeps them here, so that neither waits for the other in a circle.
lock table account in exclusive mode;

create table summed (
    one          boolean primary key default true check (one), -- it has one row
    until        timestamptz not null, -- what was booked before it is in the roll-ups, and nothing else is
    booked_until timestamptz not null, -- nothing is booked with an earlier time any more, whatever the clock says
    constraint sums_only_what_is_booked check (until <= booked_until)
);
insert into summed (until, booked_until) select moment, moment from clock_timestamp() as moment;

-- What was booked in a span of time. Not by block ranges: those of the last minutes are not summarized yet, and would all be read each
-- time. Every insertion is the last of its index.
create index usage_record_by_booking on usage_record (created_at);
create index correction_by_booking on correction (created_at);

-- Months are summed up with the roll-ups, so that nobody reads a month to drop it.
insert into usage_month_sum (month, project, test, requests, failed, attempts, input, output, cost, charged, absorbed, covered)
select month, project, test, sum(booked.requests), sum(failed), sum(attempts), sum(input), sum(output), sum(cost), sum(booked.charged),
    sum(booked.absorbed), sum(booked.covered)
from (
    select request_id, project, test, (attempt_of is null)::int as requests, (attempt_of is null and outcome = 3)::int as failed,
        1 as attempts, input_tokens(meters) as input, output_tokens(meters) as output, cost, charged, absorbed, covered
    from usage_record
    union all
    select request_id, project, test, 0, 0, 0, 0, 0, new_cost - old_cost, c.charged, c.absorbed, c.covered
    from correction c join usage_record using (request_id)) as booked
join usage_month on request_id >= from_id and request_id < to_id
where usage_month.requests is null group by month, project, test;

-- What was summed up at the last proof. Quarters of an hour are closed by the clock now, so the next proof reads everything.
alter table sealed rename column until to summed_until;
update sealed set proved_at = null;
