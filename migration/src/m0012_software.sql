-- What can be put onto instances; without a pool the operator's, for everybody.
CREATE TABLE software (
    id {uuid} PRIMARY KEY,
    number {int} NOT NULL,
    pool_id {uuid} REFERENCES pools (id) ON DELETE CASCADE,
    name {text} NOT NULL,
    description {text} NOT NULL,
    category {text} NOT NULL,
    install_script {text} NOT NULL CHECK (install_script <> ''),
    remove_script {text} CHECK (remove_script <> ''),
    options {json} NOT NULL,
    created_at {instant} NOT NULL,
    updated_at {instant} NOT NULL
){strict};
CREATE UNIQUE INDEX one_software_per_number ON software (number);
CREATE INDEX software_of_pool ON software (pool_id, id);

-- What is on an instance, with the scripts as they were when it was ordered. Whose it is says the instance.
CREATE TABLE installs (
    id {uuid} PRIMARY KEY,
    number {int} NOT NULL,
    instance_id {uuid} NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
    -- No reference: the software may be deleted.
    software_id {uuid} NOT NULL,
    software_number {int} NOT NULL,
    name {text} NOT NULL,
    author_id {uuid} NOT NULL REFERENCES users (id),
    install_script {text} NOT NULL,
    remove_script {text},
    config {json} NOT NULL,
    has_remove_script {bool} NOT NULL,
    phase {json} NOT NULL,
    status {text} NOT NULL
        CHECK (status IN ('queued', 'running', 'completed', 'failed', 'removing')),
    is_settled {bool} NOT NULL,
    runs {int} NOT NULL CHECK (runs >= 0),
    created_at {instant} NOT NULL,
    changed_at {instant} NOT NULL,
    CHECK (is_settled = (status IN ('completed', 'failed'))),
    CHECK (runs >= 1 OR status IN ('queued', 'removing')),
    CHECK (has_remove_script = (remove_script IS NOT NULL))
){strict};
CREATE UNIQUE INDEX one_install_per_number ON installs (number);
CREATE UNIQUE INDEX one_install_per_instance_and_software ON installs (instance_id, software_id);
CREATE INDEX unsettled_installs ON installs (id) WHERE NOT is_settled;
