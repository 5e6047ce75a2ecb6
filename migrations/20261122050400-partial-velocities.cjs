'use strict';

/** Velocities of attempts that go on, in pieces. They go with their attempt: the result holds all of them. */
const UP = `
CREATE TABLE inference_partial_rows (
  job_id    uuid NOT NULL REFERENCES inference_jobs (id),
  attempt   integer NOT NULL CHECK (attempt > 0),
  first_row integer NOT NULL CHECK (first_row >= 0),
  row_count integer NOT NULL CHECK (row_count BETWEEN 1 AND 1000),
  velocity  jsonb NOT NULL,
  PRIMARY KEY (job_id, attempt, first_row)
);
`;

const DOWN = `
DROP TABLE inference_partial_rows;
`;

module.exports = {
  up: (queryInterface) => queryInterface.sequelize.query(UP),
  down: (queryInterface) => queryInterface.sequelize.query(DOWN),
};
