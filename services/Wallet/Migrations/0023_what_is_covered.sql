-- Requests that something else than the wallet pays, or that were free, also where they cost nothing then: whatever they cost by a later
-- price is covered. Those of before are known by what was covered and by the quota or call credits that they name.

lock table account in exclusive mode; -- see 0018

alter table usage_record add is_covered boolean not null default false;
