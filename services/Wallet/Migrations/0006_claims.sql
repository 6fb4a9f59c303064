-- Claims of several lines: counters beside balances, and what quota or credits have covered of a cost.

alter table account
    add denomination uuid,        -- what is counted, where the unit alone does not say it
    add ceiling      bigint,      -- of a counter, by the last claim on it; claims decide by their own
    add ends_at      timestamptz, -- of a counter's cycle
    drop constraint register_is_never_overdrawn,
    -- Kinds from 2 to 6 count up. How far they may go comes with each claim.
    add constraint register_is_never_overdrawn check (
        kind >= 100 or (kind between 2 and 6 and posted >= 0) or (kind not between 2 and 6 and posted - reserved >= 0));

alter table usage_record
    add covered bigint not null default 0, -- by quota or credits; negative where overage brought more than the cost
    add counted uuid[],                    -- counters that the request used, null without any
    add counts  bigint[],
    drop constraint cost_is_borne,
    add constraint cost_is_borne check (charged >= 0 and absorbed >= 0 and charged + absorbed + covered in (0, cost));

alter table correction
    add covered bigint not null default 0,
    drop constraint borne_by_wallet_or_house,
    add constraint cost_is_borne check (charged + absorbed + covered in (0, new_cost - old_cost));

alter table usage_month add covered bigint; -- of its rows, as the other sums
update usage_month set covered = 0 where requests is not null;
