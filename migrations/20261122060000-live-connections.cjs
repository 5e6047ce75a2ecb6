'use strict';

/** How many sockets of a user each API process holds; a row that is not renewed is of a process that died. */
const UP = `
CREATE TABLE live_connections (
  process_id  uuid NOT NULL,
  user_id     uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  connections integer NOT NULL CHECK (connections >= 0),
  expires_at  timestamptz NOT NULL,
  PRIMARY KEY (process_id, user_id)
);
CREATE INDEX live_connections_by_expiry ON live_connections (expires_at);
`;

const DOWN = `
DROP TABLE live_connections;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
