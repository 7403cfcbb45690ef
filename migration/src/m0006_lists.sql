-- A page of a pool's instances is found, and all of them are counted, without a look at the wide rows.
CREATE INDEX present_instances_of_pool ON instances (pool_id, id) WHERE status <> 'deleted';
