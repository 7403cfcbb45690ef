-- Programs add the same key or script for each instance that they make; people are told, by the code.
DROP INDEX one_ssh_key_per_text_and_pool;
CREATE INDEX ssh_keys_by_text ON ssh_keys (pool_id, digest);
DROP INDEX one_script_per_content_and_pool;
CREATE INDEX scripts_by_content ON scripts (pool_id, digest);

-- What a volume is as the disk of an instance, which is mounted at the root and nowhere else.
ALTER TABLE volumes ADD COLUMN disk {json} CHECK (mount_path IS NULL OR (disk IS NULL) = (mount_path <> '/'));

-- Other names that clients order it by.
ALTER TABLE images ADD COLUMN aliases {json} NOT NULL DEFAULT '[]';

ALTER TABLE volumes ADD COLUMN tags {json} NOT NULL DEFAULT '{}';
ALTER TABLE clusters ADD COLUMN tags {json} NOT NULL DEFAULT '{}';
