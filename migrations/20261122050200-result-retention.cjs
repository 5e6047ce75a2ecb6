'use strict';

/** A result can go before its job does: deleted by its owner, or at the end of its time. That it was there stays known. */
const UP = `
ALTER TABLE results
  ADD COLUMN expires_at timestamptz,
  ADD COLUMN removed_at timestamptz,
  ADD COLUMN removal text CHECK (removal IN ('deleted', 'expired')),
  ALTER COLUMN payload DROP NOT NULL,
  ADD CONSTRAINT results_removed_whole CHECK (
    (removed_at IS NULL) = (removal IS NULL) AND (removed_at IS NULL) = (payload IS NOT NULL));
CREATE INDEX results_expiring ON results (expires_at) WHERE removed_at IS NULL;
`;

const DOWN = `
DELETE FROM results WHERE removed_at IS NOT NULL;
DROP INDEX results_expiring;
ALTER TABLE results DROP CONSTRAINT results_removed_whole, ALTER COLUMN payload SET NOT NULL,
  DROP COLUMN removal, DROP COLUMN removed_at, DROP COLUMN expires_at;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
