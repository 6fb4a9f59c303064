-- What has become of money, for those who look at it.

-- What of a top-up has paid what its customer owed, as the ledger has booked it: so much less has reached the wallet.
alter table posting add owed_paid bigint not null default 0 check (owed_paid >= 0 and owed_paid <= net);

-- The month (UTC), its first day, in which an owner was told last that the month's ceiling is reached.
alter table auto_top_up add ceiling_told date;

-- Nobody redeems it any more. What was redeemed stays.
alter table promotion add ended_at timestamptz;

create index dispute_by_age on dispute (created_at);
