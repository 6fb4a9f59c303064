-- The usage log by months. No instance of the version before may run any more: its rows have columns that go away here.
-- The rows of the version before are copied, so this takes as long as there are many of them.

-- A month of the usage log has one partition of usage_record and one of usage_raw, named after it. The partitions of a month
-- whose time is over are dropped, and its row stays: verify needs what they summed up to.
create table usage_month (
    month     date primary key,       -- its first day, UTC
    from_id   uuid    not null unique, -- a request belongs to the month in which its id was made: from_id <= id < to_id
    to_id     uuid    not null,
    closed    boolean not null default false, -- nothing is booked in it any more
    keeps_raw boolean not null default true,
    requests  bigint,                 -- of its rows, summed up before they are dropped; null until then
    charged   bigint,
    absorbed  bigint,
    constraint summed_up_when_closed check (closed or requests is null)
);

-- The lowest UUIDv7 that can be made at that moment.
create function usage_id_from(moment timestamptz) returns uuid language sql immutable as $$
    select rpad(lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

alter table usage_record rename to usage_record_before;
alter table usage_record_before drop constraint usage_record_pkey;
drop index usage_record_by_project;
drop index usage_record_by_attempt;

-- Partitioned by the time in the id, so that the primary key alone makes a request count once. There is no default partition:
-- where no month is open, nothing can be booked.
create table usage_record (
    request_id     uuid        not null primary key, -- the header of a usage transfer: one per request, failures included
    organization   uuid        not null,
    project        uuid        not null,
    customer       uuid,
    credential     uuid        not null,
    family         uuid,
    test           boolean     not null,
    endpoint       text        not null,
    model          text        not null,
    provider       text        not null,
    upstream_model text        not null,
    price_version  uuid,
    stream         boolean     not null,
    started_at     timestamptz not null,
    duration_ms    integer     not null,
    first_byte_ms  integer,
    status         smallint    not null,
    outcome        smallint    not null,
    meters         bigint[]    not null,
    cost           bigint      not null check (cost >= 0),
    charged        bigint      not null,
    absorbed       bigint      not null,
    estimated      boolean     not null,
    reason         text,
    created_at     timestamptz not null,
    attempt_of     uuid, -- the request that another provider went on with: that is the id which the caller has
    constraint cost_is_borne check (charged between 0 and cost and absorbed between 0 and cost)
) partition by range (request_id);
create index usage_record_by_project on usage_record (project, created_at);
create index usage_record_by_attempt on usage_record (attempt_of) where attempt_of is not null;
create trigger final before update or delete or truncate on usage_record execute function ledger_rows_are_final();

-- What the provider said of its usage. Rows are found by the block ranges of their ids, which grow with time: a unique index would
-- cost every settlement a second insertion, and usage_record knows already that a request comes once.
create table usage_raw (
    request_id uuid not null,
    raw_usage  text not null
) partition by range (request_id);
create index usage_raw_by_request on usage_raw using brin (request_id) with (autosummarize = on);

-- Attached, not created as partitions: that would lock out everybody who uses the log.
create function open_usage_month(opened date) returns void language plpgsql as $$
declare
    from_id constant uuid := usage_id_from(opened::timestamp at time zone 'UTC');
    to_id   constant uuid := usage_id_from((opened + interval '1 month') at time zone 'UTC');
    log     text;
    part    text;
begin
    insert into usage_month (month, from_id, to_id) values (opened, from_id, to_id);
    foreach log in array array['usage_record', 'usage_raw'] loop
        part := format('%s_%s', log, to_char(opened, 'YYYY_MM'));
        execute format('create table %I (like %I including all)', part, log);
        if log = 'usage_record' then
            -- A trigger that fires once per statement is not inherited: it guards only the table that a statement names.
            execute format(
                'create trigger final before update or delete or truncate on %I execute function ledger_rows_are_final()', part);
        end if;
        execute format('alter table %I attach partition %I for values from (%L) to (%L)', log, part, from_id, to_id);
    end loop;
end $$;

-- Opens every month from the newest one, or from the one before this, up to the given day; at most two years back.
create function open_usage_months(until date) returns void language plpgsql as $$
declare
    this  constant date := date_trunc('month', now() at time zone 'UTC');
    next  date;
begin
    perform pg_advisory_xact_lock(x'4C474D4F4E5448'::bigint); -- two instances may start at once
    select max(month) + interval '1 month' into next from usage_month where month <= until;
    for next in select generate_series(
        greatest(coalesce(next, this - interval '1 month'), this - interval '2 years'), until, interval '1 month')
    loop
        perform open_usage_month(next);
    end loop;
end $$;

select open_usage_month(month) from (
    select distinct date_trunc('month', to_timestamp(
        ('x' || left(replace(request_id::text, '-', ''), 12))::bit(48)::bigint / 1000) at time zone 'UTC')::date as month
    from usage_record_before) as old;
select open_usage_months((now() at time zone 'UTC' + interval '3 months')::date);

insert into usage_record select
    request_id, organization, project, customer, credential, family, test, endpoint, model, provider, upstream_model, price_version,
    stream, started_at, duration_ms, first_byte_ms, status, outcome, meters, cost, charged, absorbed, estimated, reason, created_at,
    attempt_of
from usage_record_before;
insert into usage_raw select request_id, raw_usage from usage_record_before where raw_usage is not null order by request_id;
drop table usage_record_before;

-- What cannot be booked, because no month is open that it belongs to: a person decides. The record is as its proxy wrote it.
create table stale_settlement (
    request_id uuid primary key,
    record     bytea       not null,
    reason     text        not null,
    at         timestamptz not null
);

-- Free text of tenants may be erased while the movement stays: its text becomes null then.
create table note (
    transfer uuid primary key,
    text     text
);
insert into note select id, description from transfer where description is not null;
alter table transfer drop column description;

-- Who asked for a movement, what outside the ledger it stands for, a hash of all that was asked, and what was moved.
alter table transfer add column actor text, add column reference text, add column input_hash bytea, add column result jsonb;
