'use strict';

/**
 * How far a job has come for good. Pieces hold its rows, and name the files of their pictures; both move with their
 * checkpoint to the job that repeats one.
 */
const UP = `
CREATE TABLE inference_checkpoints (
  job_id     uuid PRIMARY KEY REFERENCES inference_jobs (id),
  row_count  integer NOT NULL CHECK (row_count > 0),
  runner_key text NOT NULL,
  state      bytea NOT NULL CHECK (octet_length(state) <= 1048576),
  usage      jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE inference_checkpoint_pieces (
  job_id       uuid NOT NULL REFERENCES inference_checkpoints (job_id) ON UPDATE CASCADE ON DELETE CASCADE,
  first_row    integer NOT NULL CHECK (first_row >= 0),
  row_count    integer NOT NULL CHECK (row_count BETWEEN 1 AND 1000),
  velocity     jsonb NOT NULL,
  frames       jsonb NOT NULL,
  pictures_key text UNIQUE,
  PRIMARY KEY (job_id, first_row)
);

ALTER TABLE inference_attempts
  ADD COLUMN resumed_rows integer NOT NULL DEFAULT 0 CHECK (resumed_rows >= 0);
`;

const DOWN = `
ALTER TABLE inference_attempts DROP COLUMN resumed_rows;
DROP TABLE inference_checkpoint_pieces;
DROP TABLE inference_checkpoints;
`;

module.exports = {
  up: (queryInterface) => queryInterface.sequelize.query(UP),
  down: (queryInterface) => queryInterface.sequelize.query(DOWN),
};
