-- A document that was wrong in what it says stays, with its number; another one is in its place.

alter table invoice drop constraint invoice_source_key;
create index invoice_by_source on invoice (source);

create table invoice_void (
    invoice     uuid primary key references invoice,
    replaced_by uuid        not null unique references invoice,
    reason      text        not null,
    actor       text        not null,
    voided_at   timestamptz not null
);
create trigger final before update or delete or truncate on invoice_void execute function documents_never_change();
