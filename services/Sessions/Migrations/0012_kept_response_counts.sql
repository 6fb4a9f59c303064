-- What is kept of responses, counted for its bounds: of a customer, of a project, of all. Whatever adds or deletes a row counts it in the
-- same transaction.

delete from kept_response; -- what was sealed before this has another form
alter table kept_response
    add column project_id  uuid    not null,
    add column plain_bytes integer not null; -- before it was packed and sealed
create index kept_response_by_project on kept_response (project_id, created_at, id);

create table kept_response_count (
    level integer not null, -- 0 a customer, 1 a project, 2 all
    owner uuid    not null,
    slot  integer not null, -- a project's customers share 16 rows, so that its answers do not all wait for one
    bytes bigint  not null,
    rows  bigint  not null,
    primary key (level, owner, slot)
);

-- Always in this order, so that no two transactions wait for each other.
create function count_kept_responses() returns trigger language plpgsql as $$
begin
    insert into kept_response_count as kept (level, owner, slot, bytes, rows)
    select counted.level, counted.owner, counted.slot, tg_argv[0]::bigint * sum(changed.bytes), tg_argv[0]::bigint * count(*)
    from changed cross join lateral (values
        (0, changed.customer_id, 0),
        (1, changed.project_id, get_byte(uuid_send(changed.customer_id), 15) % 16),
        (2, '00000000-0000-0000-0000-000000000000'::uuid, get_byte(uuid_send(changed.customer_id), 15) % 16)
    ) as counted (level, owner, slot)
    group by counted.level, counted.owner, counted.slot
    order by counted.level, counted.owner, counted.slot
    on conflict (level, owner, slot) do update set bytes = kept.bytes + excluded.bytes, rows = kept.rows + excluded.rows;
    return null;
end $$;
create trigger counted_in after insert on kept_response
    referencing new table as changed for each statement execute function count_kept_responses('1');
create trigger counted_out after delete on kept_response
    referencing old table as changed for each statement execute function count_kept_responses('-1');
