-- Mail to a customer goes to the address that its profile has when it is sent, so none is kept here.

alter table mail
    alter recipient drop not null,
    add customer uuid,
    add constraint a_mail_is_to_an_address_or_a_customer check (num_nulls(recipient, customer) = 1);
