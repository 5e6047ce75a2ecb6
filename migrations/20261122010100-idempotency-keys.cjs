'use strict';

/** Answers to requests that carried an Idempotency-Key, each written in the transaction of the effect it tells about. */
const UP = `
CREATE TABLE idempotency_keys (
  user_id     uuid NOT NULL REFERENCES users (id),
  key         text NOT NULL CHECK (key ~ '^[!-~]{1,255}$'),
  -- Of the operation and what it was asked to do.
  fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
  status      integer NOT NULL CHECK (status BETWEEN 200 AND 299),
  headers     jsonb NOT NULL,
  -- Text, not jsonb: the answer is repeated to the letter.
  body        text NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

ALTER TABLE credit_entries ADD COLUMN idempotency_key text;
`;

const DOWN = `
ALTER TABLE credit_entries DROP COLUMN idempotency_key;
DROP TABLE idempotency_keys;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
