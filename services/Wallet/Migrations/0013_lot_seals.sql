-- What was proved of lots, with their accounts in seal.

create table lot_seal (
    wallet  uuid   not null,
    id      uuid   not null, -- of a balance's own lot that of the account
    balance bigint not null, -- what was left of it
    primary key (wallet, id)
);
