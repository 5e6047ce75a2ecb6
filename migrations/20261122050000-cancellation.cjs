'use strict';

/** Who was promised that a job stops gets no result of it, whoever is faster. */
const UP = `
ALTER TABLE inference_jobs ADD CONSTRAINT inference_jobs_cancellation
  CHECK (cancel_requested_at IS NULL OR status IN ('RUNNING', 'ABORTED'));
`;

const DOWN = `
ALTER TABLE inference_jobs DROP CONSTRAINT inference_jobs_cancellation;
`;

module.exports = {
  up: (queryInterface) => queryInterface.sequelize.query(UP),
  down: (queryInterface) => queryInterface.sequelize.query(DOWN),
};
