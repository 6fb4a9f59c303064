-- Every movement that is not usage is a post: a hash of what it was asked for refuses another input under its id, for ever.
-- The hash of a credit or debit of before is what Post.InputHash makes of it. Openings and corrections of before stay without.
alter table transfer disable trigger final;
update transfer set input_hash = sha256(convert_to(
    format('%s %s %s', case when asked > 0 then 'Grant' else 'Debit' end, replace(wallet::text, '-', ''), abs(asked)), 'UTF8'))
where wallet is not null;
alter table transfer enable trigger final;

alter table transfer drop column wallet, drop column asked;
