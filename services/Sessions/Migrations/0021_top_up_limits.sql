-- How much a project's customers may top up, as its seed file says it (JSON); null: as Billing has it for all.
alter table project add top_up_limits text;
