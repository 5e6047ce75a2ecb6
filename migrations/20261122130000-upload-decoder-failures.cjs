'use strict';

/** A file on which the decoder fails every time must not be taken over for ever. */
const UP = `ALTER TABLE uploads ADD COLUMN decoder_failures integer NOT NULL DEFAULT 0 CHECK (decoder_failures >= 0);`;
const DOWN = `ALTER TABLE uploads DROP COLUMN decoder_failures;`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
