-- What owners call their instances; so far that was the host name.
ALTER TABLE instances ADD COLUMN name {text} NOT NULL DEFAULT '';
UPDATE instances SET name = hostname;

-- For how long an instance was ordered, and whether it is renewed, where its offer has a longest time.
ALTER TABLE instances ADD COLUMN term {json};
-- The same instant, for the sweep.
ALTER TABLE instances ADD COLUMN expires_at {instant};
CREATE INDEX instances_by_expiry ON instances (expires_at) WHERE is_live AND expires_at IS NOT NULL;

-- Name, host name and image in lower case, because SQLite lowers ASCII alone.
ALTER TABLE instances ADD COLUMN search_text {text} NOT NULL DEFAULT '';
UPDATE instances SET search_text = lower(name || '
' || hostname || '
' || coalesce(origin ->> 'image_name', '') || '
' || coalesce(origin ->> 'image', ''));
