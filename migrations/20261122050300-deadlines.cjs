'use strict';

/** Limits that the owner of a job sets: a time to have started by, and the longest that an attempt may take. */
const UP = `
ALTER TABLE inference_jobs
  ADD COLUMN start_deadline timestamptz,
  ADD COLUMN timeout_seconds integer CHECK (timeout_seconds > 0);
CREATE INDEX inference_jobs_start_deadlines ON inference_jobs (start_deadline)
  WHERE status = 'PENDING' AND started_at IS NULL;
`;

const DOWN = `
DROP INDEX inference_jobs_start_deadlines;
ALTER TABLE inference_jobs DROP COLUMN timeout_seconds, DROP COLUMN start_deadline;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
