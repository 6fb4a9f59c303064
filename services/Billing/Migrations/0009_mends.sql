-- A card can be declined when it is saved, too: then there is no payment, and the attempt is one to save it.
alter table declined alter payment drop not null;

create index card_setup_by_wallet on card_setup (wallet, created_at);

-- Purchases that a customer may begin in an hour.
alter table top_up_limits add begun_per_hour integer not null default 60 check (begun_per_hour > 0);

-- What nobody has paid need not be there for ever. What was paid is, and so is what anything else names.
drop trigger final on payment;
create trigger final before truncate on payment execute function payments_are_final();
create trigger final_unless_canceled before delete on payment for each row when (old.status <> 'canceled')
    execute function payments_are_final();
create index payment_canceled on payment (created_at) where status = 'canceled';
create index declined_by_payment on declined (payment) where payment is not null;
create index auto_top_up_by_payment on auto_top_up (payment) where payment is not null;

-- Attempts one after the other that have met an outage. They are not counted as attempts.
alter table stripe_event add outages integer not null default 0;

-- What has expired before the ledger had it is asked for no more, and all others in turn.
alter table redemption drop constraint redemption_status_check;
alter table redemption add constraint redemption_status_check check (status in ('claimed', 'booked', 'expired'));
alter table redemption add looked_at timestamptz not null default now();
drop index redemption_claimed;
create index redemption_claimed on redemption (looked_at) where status = 'claimed';
