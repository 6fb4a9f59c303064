-- A key that may stand in the path of a request.

alter table customer_key add column in_path boolean not null default false;
