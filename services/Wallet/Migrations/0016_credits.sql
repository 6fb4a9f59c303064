-- Call credits: balances of kind 7 in unit 5. Two types are two units: no entry, sum or movement mixes them.

alter table account
    add constraint credits_have_a_type check ((kind = 7) <= (unit = 5) and (unit = 5) <= (denomination is not null));
