-- Addresses are logged and remembered where headers are not: a project must ask for it.
alter table project add column keys_in_query boolean not null default false;
