-- What containers are started from; without a pool the operator's, for everybody.
CREATE TABLE templates (
    id {uuid} PRIMARY KEY,
    number {int} NOT NULL,
    pool_id {uuid} REFERENCES pools (id) ON DELETE CASCADE,
    author_id {uuid} REFERENCES users (id),
    name {text} NOT NULL,
    image {text} NOT NULL,
    tag {text} NOT NULL,
    category {text} NOT NULL,
    disk_gb {int} NOT NULL CHECK (disk_gb >= 1),
    ports {json} NOT NULL,
    start_script {text} NOT NULL,
    build_arguments {text} NOT NULL,
    environment {json} NOT NULL,
    notes {text} NOT NULL,
    runs_ssh {bool} NOT NULL,
    runs_jupyter {bool} NOT NULL,
    registry_host {text},
    registry_username {text},
    -- Sealed with a key from outside the database.
    registry_password {bytes},
    -- Name and image in lower case, because SQLite lowers ASCII alone.
    search_text {text} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL,
    CHECK ((registry_host IS NULL) = (registry_username IS NULL)
        AND (registry_host IS NULL) = (registry_password IS NULL))
){strict};
CREATE UNIQUE INDEX one_template_per_number ON templates (number);
CREATE INDEX templates_of_pool ON templates (pool_id, id);
