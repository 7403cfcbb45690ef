-- Whether a plan is for some pools only. It is no less so when the last of them is deleted.
ALTER TABLE plans ADD COLUMN is_private {bool} NOT NULL DEFAULT FALSE;

-- Which pools these are.
CREATE TABLE plan_pools (
    plan_id {uuid} NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    pool_id {uuid} NOT NULL REFERENCES pools (id) ON DELETE CASCADE,
    PRIMARY KEY (plan_id, pool_id)
){strict};
CREATE INDEX plans_of_pool ON plan_pools (pool_id, plan_id);
