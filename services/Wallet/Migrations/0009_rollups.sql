-- The usage log in sums per quarter of an hour and per day (UTC), so that a summary reads few rows and outlives the log's months.
-- They are written in the transaction of what they sum up.

create table rollup (
    project   uuid     not null,
    test      boolean  not null,
    grain     smallint not null, -- 0 quarter of an hour, 1 day
    dimension smallint not null, -- 0 total, 1 model, 2 provider, 3 endpoint, 4 customer, 5 key
    at        timestamptz not null,
    value     text collate "C" not null, -- of the dimension; empty for the total, and for requests that have none
    requests  bigint not null, -- without the failed attempts of those that another provider went on with
    failed    bigint not null,
    attempts  bigint not null, -- rows of the usage log
    input     bigint not null, -- tokens
    output    bigint not null,
    cost      bigint not null, -- with all corrections, as the three that follow
    charged   bigint not null,
    absorbed  bigint not null,
    covered   bigint not null,
    late      bigint not null, -- rows that belong to an earlier time, which was sealed
    primary key (project, test, grain, dimension, at, value)
) with (fillfactor = 70); -- the rows of now change all the time: leave room for updates in place

-- What a month had in all, with its corrections, when it was dropped.
create table usage_month_sum (
    month    date    not null,
    project  uuid    not null,
    test     boolean not null,
    requests bigint  not null,
    failed   bigint  not null,
    attempts bigint  not null,
    input    bigint  not null,
    output   bigint  not null,
    cost     bigint  not null,
    charged  bigint  not null,
    absorbed bigint  not null,
    covered  bigint  not null,
    primary key (month, project, test)
);

-- Tokens that were read, and tokens that were written, by a row's meters. Rows of earlier versions have fewer of them.
create function input_tokens(meters bigint[]) returns bigint language sql immutable as $$
    select coalesce(meters[1], 0) + coalesce(meters[2], 0) + coalesce(meters[3], 0) + coalesce(meters[4], 0)
        + coalesce(meters[7], 0) + coalesce(meters[9], 0)
$$;
create function output_tokens(meters bigint[]) returns bigint language sql immutable as $$
    select coalesce(meters[5], 0) + coalesce(meters[6], 0) + coalesce(meters[8], 0) + coalesce(meters[10], 0)
$$;

insert into rollup
select project, test, grain, dimension, bucket, value, sum(requests), sum(failed), sum(attempts), sum(input), sum(output),
    sum(cost), sum(charged), sum(absorbed), sum(covered), 0
from (
    select project, test, least(started_at, created_at) as at, model, provider, endpoint, customer, credential, family,
        (attempt_of is null)::int as requests, (attempt_of is null and outcome = 3)::int as failed, 1 as attempts,
        input_tokens(meters) as input, output_tokens(meters) as output, cost, charged, absorbed, covered
    from usage_record
    union all
    select project, test, least(started_at, c.created_at), model, provider, endpoint, usage_record.customer, credential, family,
        0, 0, 0, 0, 0, new_cost - old_cost, c.charged, c.absorbed, c.covered
    from correction c join usage_record using (request_id)) as booked,
    lateral (values
        (0, ''), (1, model), (2, provider), (3, endpoint), (4, coalesce('cus_' || replace(customer::text, '-', ''), '')),
        (5, replace(coalesce('ses_' || family, 'key_' || credential), '-', ''))) as by (dimension, value),
    lateral (values
        (0, date_bin('15 minutes', at, 'epoch')), (1, date_bin('1 day', at, 'epoch'))) as per (grain, bucket)
group by project, test, grain, dimension, bucket, value;
