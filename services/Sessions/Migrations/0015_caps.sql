-- Caps are counted, and requests that run are limited. Both come with each claim, so the ledger need not be told beforehand.

-- False for families from before: what they may still spend is a balance in the ledger, and stays one until they are gone.
alter table session_family add cap_counts boolean not null default false;

alter table customer     add concurrent integer constraint concurrent_is_positive check (concurrent > 0); -- null: as many as one likes
alter table customer_key add concurrent integer constraint concurrent_is_positive check (concurrent > 0);
