'use strict';

/**
 * Users, ledger, datasets, videos, jobs, attempts, results, events.
 *
 * Plain SQL: check constraints, partial indexes and the ledger's trigger are the point of this schema, and
 * `queryInterface` can say none of them clearly.
 */
const UP = `
CREATE TABLE users (
  id            uuid PRIMARY KEY,
  email         text NOT NULL UNIQUE CHECK (email = lower(email)),
  password_hash text NOT NULL,
  role          text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
  credit        integer NOT NULL DEFAULT 0 CHECK (credit >= 0),
  event_seq     bigint NOT NULL DEFAULT 0 CHECK (event_seq >= 0),
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE credit_entries (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id        uuid NOT NULL REFERENCES users (id),
  kind           text NOT NULL CHECK (kind IN ('signup', 'recharge', 'upload', 'inference-hold', 'inference-capture',
                                               'inference-release', 'refund', 'adjustment')),
  amount         integer NOT NULL,
  balance_after  integer NOT NULL CHECK (balance_after >= 0),
  reference_type text CHECK (reference_type IN ('video', 'job')),
  reference_id   uuid,
  reason         text NOT NULL,
  actor_id       uuid REFERENCES users (id),
  created_at     timestamptz NOT NULL DEFAULT now(),
  CHECK ((reference_type IS NULL) = (reference_id IS NULL)),
  -- Nothing is paid, captured or given back twice.
  UNIQUE (kind, reference_id)
);
CREATE INDEX credit_entries_by_user ON credit_entries (user_id, id);

CREATE FUNCTION credit_entries_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is append-only';
END $$;
CREATE TRIGGER credit_entries_append_only BEFORE UPDATE OR DELETE ON credit_entries
  FOR EACH ROW EXECUTE FUNCTION credit_entries_append_only();
CREATE TRIGGER credit_entries_no_truncate BEFORE TRUNCATE ON credit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION credit_entries_append_only();

CREATE TABLE datasets (
  id         uuid PRIMARY KEY,
  position   bigint GENERATED ALWAYS AS IDENTITY,
  user_id    uuid NOT NULL REFERENCES users (id),
  name       text NOT NULL CHECK (name <> ''),
  tags       text[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX datasets_live_name ON datasets (user_id, name) WHERE deleted_at IS NULL;
CREATE INDEX datasets_live_page ON datasets (user_id, position) WHERE deleted_at IS NULL;
CREATE INDEX datasets_tags ON datasets USING gin (tags) WHERE deleted_at IS NULL;

CREATE TABLE videos (
  id               uuid PRIMARY KEY,
  position         bigint GENERATED ALWAYS AS IDENTITY,
  dataset_id       uuid NOT NULL REFERENCES datasets (id),
  name             text NOT NULL CHECK (name <> ''),
  storage_key      text NOT NULL UNIQUE,
  size_bytes       bigint NOT NULL CHECK (size_bytes > 0),
  sha256           text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  container        text NOT NULL,
  codec            text NOT NULL,
  width            integer NOT NULL CHECK (width > 0),
  height           integer NOT NULL CHECK (height > 0),
  frame_count      integer NOT NULL CHECK (frame_count > 0),
  frame_rate       double precision,
  duration_seconds double precision NOT NULL,
  cost             integer NOT NULL CHECK (cost >= 0),
  created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX videos_by_dataset ON videos (dataset_id, position);

CREATE TABLE inference_jobs (
  id                  uuid PRIMARY KEY,
  user_id             uuid NOT NULL REFERENCES users (id),
  dataset_id          uuid NOT NULL REFERENCES datasets (id),
  goal_video_id       uuid NOT NULL REFERENCES videos (id),
  current_video_id    uuid NOT NULL REFERENCES videos (id),
  status              text NOT NULL DEFAULT 'PENDING'
                      CHECK (status IN ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'ABORTED')),
  parameters          jsonb NOT NULL,
  priority            integer NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10),
  cost                integer NOT NULL DEFAULT 0 CHECK (cost >= 0),
  attempt             integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  claim_token         uuid,
  lease_expires_at    timestamptz,
  available_at        timestamptz NOT NULL DEFAULT now(),
  cancel_requested_at timestamptz,
  stopped_at          timestamptz,
  progress_processed  integer,
  progress_total      integer,
  carbon_footprint    double precision,
  energy_wh           double precision,
  error_code          text,
  error_message       text,
  created_at          timestamptz NOT NULL DEFAULT now(),
  started_at          timestamptz,
  finished_at         timestamptz,
  updated_at          timestamptz NOT NULL DEFAULT now(),
  -- A claim exists exactly while somebody runs the job; an end has a time.
  CHECK ((status = 'RUNNING') = (claim_token IS NOT NULL)),
  CHECK ((status = 'RUNNING') = (lease_expires_at IS NOT NULL)),
  CHECK ((status IN ('COMPLETED', 'FAILED', 'ABORTED')) = (finished_at IS NOT NULL))
);
CREATE INDEX inference_jobs_by_user ON inference_jobs (user_id, created_at, id);
CREATE INDEX inference_jobs_due ON inference_jobs (priority DESC, available_at) WHERE status = 'PENDING';
CREATE INDEX inference_jobs_leases ON inference_jobs (lease_expires_at, id) WHERE status = 'RUNNING';

CREATE FUNCTION inference_jobs_final_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'job % is %, which is final', OLD.id, OLD.status;
END $$;
CREATE TRIGGER inference_jobs_final_status BEFORE UPDATE OF status ON inference_jobs
  FOR EACH ROW WHEN (OLD.status IN ('COMPLETED', 'FAILED', 'ABORTED') AND NEW.status <> OLD.status)
  EXECUTE FUNCTION inference_jobs_final_status();

CREATE TABLE inference_attempts (
  job_id        uuid NOT NULL REFERENCES inference_jobs (id),
  number        integer NOT NULL CHECK (number > 0),
  claim_token   uuid NOT NULL UNIQUE,
  worker        text NOT NULL,
  outcome       text CHECK (outcome IN ('COMPLETED', 'FAILED', 'LOST', 'RELEASED', 'ABORTED')),
  error_code    text,
  error_message text,
  started_at    timestamptz NOT NULL DEFAULT now(),
  finished_at   timestamptz,
  PRIMARY KEY (job_id, number),
  CHECK ((outcome IS NULL) = (finished_at IS NULL))
);

CREATE TABLE results (
  id              uuid PRIMARY KEY,
  job_id          uuid NOT NULL UNIQUE REFERENCES inference_jobs (id),
  payload         jsonb NOT NULL,
  archive_key     text NOT NULL UNIQUE,
  archive_bytes   bigint NOT NULL CHECK (archive_bytes > 0),
  archive_sha256  text NOT NULL CHECK (archive_sha256 ~ '^[0-9a-f]{64}$'),
  created_at      timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE events (
  user_id    uuid NOT NULL REFERENCES users (id),
  seq        bigint NOT NULL CHECK (seq > 0),
  type       text NOT NULL,
  subject_id uuid NOT NULL,
  data       jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, seq)
);
CREATE INDEX events_by_subject ON events (subject_id, seq);
`;

const DOWN = `
DROP TABLE events, results, inference_attempts, inference_jobs, videos, datasets, credit_entries, users;
DROP FUNCTION inference_jobs_final_status();
DROP FUNCTION credit_entries_append_only();
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
