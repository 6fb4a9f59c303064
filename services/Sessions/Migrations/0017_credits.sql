-- The types of call credits that a customer has a balance of. How many are left is the ledger's to know.

create table customer_credits (
    customer_id uuid not null references customer,
    query_type  text not null constraint query_type_is_a_name check (query_type ~ '^[a-z0-9_-]{1,64}$'),
    primary key (customer_id, query_type)
);
