-- A card can be declined when it is saved, too: then there is no payment, and the attempt is one to save it.
alter table declined alter payment drop not null;
