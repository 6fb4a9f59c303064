-- How a project looks to its customers.

alter table project add column branding jsonb;
