-- Who changed what, and what it was before. Rows are only added, but for two things: a deleted customer's are emptied of who it was, and
-- after two years they go.

create table audit_entry (
    id          uuid primary key,
    project_id  uuid        not null references project,
    test        boolean, -- null: of both worlds
    customer_id uuid,    -- whose it is, if it is one's
    at          timestamptz not null,
    actor       text        not null,
    action      text        not null,
    subject     text        not null,
    before      jsonb,
    after       jsonb,
    request_id  text
);
create index audit_entry_newest_first on audit_entry (project_id, id desc);
create index audit_entry_by_subject on audit_entry (project_id, subject text_pattern_ops, id desc);
create index audit_entry_by_customer on audit_entry (customer_id) where customer_id is not null;
create index audit_entry_by_time on audit_entry (at);

create function audit_entries_are_final() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        if to_jsonb(old) - 'before' - 'after' = to_jsonb(new) - 'before' - 'after' and new.before is null and new.after is null then
            return new;
        end if;
    elsif tg_op = 'DELETE' then
        if old.at < now() - interval '730 days' then
            return old;
        end if;
    end if;
    raise exception 'an audit entry is never changed, and deleted only after two years';
end $$;
create trigger final before update or delete on audit_entry for each row execute function audit_entries_are_final();
create trigger whole before truncate on audit_entry execute function audit_entries_are_final();
