-- What sellers have said of themselves, and the documents that were made of what the ledger has booked.

create table seller (
    project      uuid        not null,
    test         boolean     not null,
    organization uuid        not null,
    content      jsonb       not null,     -- name, address …, as they are printed
    changed_at   timestamptz not null default now(),
    primary key (project, test)
);

-- The last number of each series. It is taken in the transaction that makes its document, so none is missing and none is there twice.
create table invoice_series (
    organization uuid        not null,
    test         boolean     not null,
    kind         text        not null check (kind in ('invoice', 'credit_note')),
    last         bigint      not null check (last > 0),
    issued_at    timestamptz not null,     -- of its last document: the next one's is no earlier
    date         date,                     -- of its last document; null: it has none yet
    primary key (organization, test, kind)
);

create table invoice (
    id           uuid primary key,
    source       uuid        not null unique references posting,
    payment      uuid        not null references payment,
    organization uuid        not null,
    project      uuid        not null,
    customer     uuid        not null,
    test         boolean     not null,
    kind         text        not null check (kind in ('invoice', 'credit_note')),
    number       bigint      not null check (number > 0),
    reason       text        not null check (reason in ('top_up', 'refund', 'refund_failed', 'dispute', 'dispute_won')),
    corrects     uuid        references invoice, -- the top-up's invoice; null: it is that one
    issued_at    timestamptz not null,
    date         date        not null,     -- the same in the seller's time zone
    cents        bigint      not null check (cents > 0),
    net          bigint      not null,     -- what the ledger has booked, nano-dollars: the wallet's part, the developer's, the platform's
    margin       bigint      not null,
    fee          bigint      not null,
    content      jsonb       not null,     -- seller, buyer and lines, as they were then
    constraint a_document_is_its_parts check (cents * 10000000 = net + margin + fee and net > 0 and margin >= 0 and fee >= 0),
    constraint only_a_top_up_corrects_nothing check ((reason = 'top_up') = (corrects is null)),
    constraint every_number_is_of_one_document unique (organization, test, kind, number)
);
create index invoice_by_project on invoice (project, test, id desc);
create index invoice_by_customer on invoice (customer, id desc);
create index invoice_by_payment on invoice (payment);

alter table payment add tax_calculation text; -- Stripe's, where it says that the payment has one

alter table posting add documented boolean not null default false;
create index posting_without_document on posting (created_at, number) where status = 'booked' and not documented;

create function documents_never_change() returns trigger language plpgsql as $$
begin
    raise exception 'rows of invoice never change: somebody may have the document';
end $$;
create trigger final before update or delete or truncate on invoice execute function documents_never_change();
