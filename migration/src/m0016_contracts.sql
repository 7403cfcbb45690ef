-- Whether an instance's owner lets nobody start or stop it.
ALTER TABLE instances ADD COLUMN is_locked {bool} NOT NULL DEFAULT FALSE;

-- Where what is on an instance's disk comes from, and which one takes its place.
ALTER TABLE instances ADD COLUMN moved {json};
ALTER TABLE instances ADD COLUMN successor_id {uuid} REFERENCES instances (id);

-- Which payment for an instance's time a posting is about: each is charged, and given back, once.
ALTER TABLE postings ADD COLUMN paid_instance_id {uuid} REFERENCES instances (id);
ALTER TABLE postings ADD COLUMN payment {int};
ALTER TABLE postings ADD COLUMN paid_for {text};
CREATE UNIQUE INDEX one_posting_per_payment ON postings (paid_instance_id, payment, paid_for, kind)
    WHERE paid_instance_id IS NOT NULL;
