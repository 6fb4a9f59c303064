-- Who has frozen a wallet: 1 its owner, 2 Billing for a dispute, 3 both. Frozen is what either has frozen; what a version of before has
-- frozen says nobody, and is its owner's.
lock table account in exclusive mode; -- see 0018
alter table account add frozen_by smallint not null default 0;
