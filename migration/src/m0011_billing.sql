-- Whether a meter's price was that of a spot instance, which may have changed between two of them. Of older
-- ones it is told by what their instance is now.
ALTER TABLE meters ADD COLUMN is_spot {bool} NOT NULL DEFAULT false;
UPDATE meters SET is_spot = true WHERE metered_id IN (SELECT id FROM instances WHERE is_spot);

-- What instances have cost, and what was paid in, newest first.
CREATE INDEX instance_meters_of_pool ON meters (pool_id, id) WHERE metered_kind = 'instance';
CREATE INDEX deposits_of_user ON postings (user_id, id) WHERE kind = 'deposit';

-- Name, code and category in lower case, because SQLite lowers ASCII alone.
ALTER TABLE images ADD COLUMN search_text {text} NOT NULL DEFAULT '';
UPDATE images SET search_text = lower(name || '
' || code || '
' || category);
