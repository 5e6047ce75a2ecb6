'use strict';

/**
 * Lists of jobs, newest first: every filter is a walk along one of two indexes, a few steps per status, however many
 * jobs there are. Jobs of one request get times of their own, so that they have an order.
 */
const UP = `
ALTER TABLE inference_jobs
  ADD COLUMN retry_of uuid REFERENCES inference_jobs (id),
  ALTER COLUMN created_at SET DEFAULT clock_timestamp();
CREATE INDEX inference_jobs_retries ON inference_jobs (retry_of) WHERE retry_of IS NOT NULL;

DROP INDEX inference_jobs_by_user;
CREATE INDEX inference_jobs_by_user ON inference_jobs (user_id, status, created_at, id);
CREATE INDEX inference_jobs_by_dataset ON inference_jobs (dataset_id, status, created_at, id);
CREATE INDEX datasets_by_user ON datasets (user_id);
`;

const DOWN = `
DROP INDEX datasets_by_user;
DROP INDEX inference_jobs_by_dataset;
DROP INDEX inference_jobs_by_user;
CREATE INDEX inference_jobs_by_user ON inference_jobs (user_id, created_at, id);
ALTER TABLE inference_jobs DROP COLUMN retry_of, ALTER COLUMN created_at SET DEFAULT now();
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
