-- A deleted customer has no external id: any text in its place is one that another customer may have.

alter table customer
    alter column external_id drop not null,
    add constraint only_deleted_customers_have_no_external_id check (external_id is not null or status = 'Deleted');
update customer set external_id = null where status = 'Deleted';
