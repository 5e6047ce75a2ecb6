'use strict';

/** What runs jobs, as rows; what happened to each; and which of them an attempt ran on, with how its stop is known. */
const UP = `
CREATE TABLE runners (
  id               uuid PRIMARY KEY,
  position         bigint GENERATED ALWAYS AS IDENTITY,
  name             text NOT NULL,
  kind             text NOT NULL,
  -- Null for the engine inside the workers.
  url              text,
  sealed_token     text,
  -- Jobs at a time; null: as many as the runner says.
  slots            integer CHECK (slots BETWEEN 1 AND 256),
  -- Models it is used for; null: all that it says it serves.
  models           text[],
  origin           text NOT NULL CHECK (origin IN ('configuration', 'admin')),
  disabled_by      text CHECK (disabled_by IN ('admin', 'configuration')),
  draining         boolean NOT NULL DEFAULT false,
  -- Grows with each change of what a client of it is made from; changed_at is the time of the last one.
  revision         integer NOT NULL DEFAULT 1 CHECK (revision > 0),
  changed_at       timestamptz NOT NULL DEFAULT now(),
  description      jsonb NOT NULL,
  health_state     text NOT NULL DEFAULT 'STARTING'
                   CHECK (health_state IN ('STARTING', 'READY', 'BUSY', 'UNHEALTHY', 'CLOSED')),
  health_detail    text,
  checked_at       timestamptz,
  latency_ms       integer CHECK (latency_ms >= 0),
  check_due_at     timestamptz NOT NULL DEFAULT now(),
  breaker_state    text NOT NULL DEFAULT 'CLOSED' CHECK (breaker_state IN ('CLOSED', 'OPEN', 'HALF_OPEN')),
  breaker_failures integer NOT NULL DEFAULT 0 CHECK (breaker_failures >= 0),
  breaker_openings integer NOT NULL DEFAULT 0 CHECK (breaker_openings >= 0),
  opened_until     timestamptz,
  -- It asked to be left alone until then.
  not_before       timestamptz,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now(),
  -- Attempts refer to it for ever.
  deleted_at       timestamptz,
  CHECK ((breaker_state = 'OPEN') = (opened_until IS NOT NULL)),
  CHECK ((kind = 'embedded') = (url IS NULL))
);
CREATE UNIQUE INDEX runners_name ON runners (name) WHERE deleted_at IS NULL;
CREATE INDEX runners_due ON runners (check_due_at) WHERE deleted_at IS NULL AND disabled_by IS NULL;

CREATE TABLE runner_events (
  id         uuid PRIMARY KEY,
  position   bigint GENERATED ALWAYS AS IDENTITY,
  runner_id  uuid NOT NULL REFERENCES runners (id) ON DELETE CASCADE,
  kind       text NOT NULL CHECK (kind IN ('added', 'changed', 'removed', 'switch', 'health', 'breaker', 'pause')),
  from_state text,
  to_state   text,
  detail     text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX runner_events_page ON runner_events (runner_id, position);
CREATE INDEX runner_events_age ON runner_events (created_at);

ALTER TABLE inference_attempts
  ADD COLUMN runner_id   uuid REFERENCES runners (id),
  ADD COLUMN runner_name text,
  ADD COLUMN runner_kind text,
  ADD COLUMN stopped_by  text CHECK (stopped_by IN ('engine', 'server', 'connection')),
  ADD COLUMN stopped_at  timestamptz,
  ADD CONSTRAINT inference_attempts_runner CHECK ((runner_id IS NULL) = (runner_name IS NULL)
    AND (runner_id IS NULL) = (runner_kind IS NULL)),
  ADD CONSTRAINT inference_attempts_stop CHECK ((stopped_by IS NULL) = (stopped_at IS NULL));
-- A permit of a runner is a running attempt on it.
CREATE INDEX inference_attempts_permits ON inference_attempts (runner_id) WHERE outcome IS NULL;
`;

const DOWN = `
ALTER TABLE inference_attempts
  DROP CONSTRAINT inference_attempts_runner,
  DROP CONSTRAINT inference_attempts_stop,
  DROP COLUMN runner_id, DROP COLUMN runner_name, DROP COLUMN runner_kind,
  DROP COLUMN stopped_by, DROP COLUMN stopped_at;
DROP TABLE runner_events, runners;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
