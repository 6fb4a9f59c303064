-- What is asked for is found without reading what is of others.

-- A dispute is of its payment's project and mode.
alter table dispute add project uuid, add test boolean;
update dispute set project = p.project, test = p.test from payment p where p.id = dispute.payment;

-- An instance of the version before adds one without them.
create function dispute_is_of_its_payment() returns trigger language plpgsql as $$
begin
    select p.project, p.test into new.project, new.test from payment p where p.id = new.payment;
    return new;
end $$;
create trigger of_its_payment before insert on dispute for each row execute function dispute_is_of_its_payment();
alter table dispute alter project set not null, alter test set not null;
drop index dispute_by_age;
create index dispute_by_project on dispute (project, test, created_at desc);

-- Nothing follows from what Stripe has told of cards, and it has their owners' names, mail and addresses.
update stripe_event set body = '' where type like 'payment\_method.%' and status in ('done', 'ignored') and body <> '';
