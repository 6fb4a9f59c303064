-- Documents are looked for by their seller, so that what has none, because nobody says who sells, is not read again and again. One that
-- cannot be made is tried again later and later.
alter table posting
    add project           uuid,
    add test              boolean,
    add document_at       timestamptz not null default now(),
    add document_attempts integer     not null default 0;
update posting set project = payment.project, test = payment.test from payment where payment.id = posting.payment;
alter table posting
    alter column project set not null,
    alter column test set not null;
drop index posting_without_document;
create index posting_without_document on posting (project, test, created_at, number) where status = 'booked' and not documented;

-- A pause is the project's, whichever account it has.
create table payout_pause (
    project   uuid        not null,
    test      boolean     not null,
    paused_at timestamptz not null default now(),
    primary key (project, test)
);
insert into payout_pause (project, test) select project, test from connect_account where paused and gone_at is null;
alter table connect_account drop column paused;

-- The account that the sandbox has played, and the real one, are two: a start with other keys makes neither of them another.
drop index one_account_of_a_project;
create unique index one_account_of_a_project on connect_account (project, test, livemode) where gone_at is null;

-- What mails a project is bounded.
alter table mail
    add project uuid,
    add test    boolean;
create index mail_by_project on mail (project, test, created_at) where project is not null;

-- A payout that the ledger has refused is looked at until the ledger says that it holds nothing for it.
update payout set settled = true where status = 'refused';
drop index payout_under_way;
create index payout_under_way on payout (looked_at)
    where status in ('new', 'reserved') or (status in ('paid', 'failed', 'refused') and not settled);
