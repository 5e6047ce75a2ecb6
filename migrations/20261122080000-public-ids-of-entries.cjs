'use strict';

/**
 * Entries of the ledger and of the audit log get the id that the API shows. The numbers stay what they are ordered by;
 * shown, they would tell how much is going on in the whole installation.
 */
const UP = `
ALTER TABLE credit_entries ADD COLUMN public_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid();
ALTER TABLE audit_entries ADD COLUMN public_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid();
`;

const DOWN = `
ALTER TABLE audit_entries DROP COLUMN public_id;
ALTER TABLE credit_entries DROP COLUMN public_id;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
