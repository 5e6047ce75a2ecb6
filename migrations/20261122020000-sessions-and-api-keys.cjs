'use strict';

/** Sessions with rotating refresh tokens, API keys, counted login attempts, and accounts that can be disabled. */
const UP = `
ALTER TABLE users
  ADD COLUMN position    bigint GENERATED ALWAYS AS IDENTITY,
  ADD COLUMN disabled_at timestamptz;
CREATE UNIQUE INDEX users_page ON users (position);
CREATE INDEX users_by_email_prefix ON users (email text_pattern_ops);
CREATE INDEX users_admins ON users (position) WHERE role = 'admin';
CREATE INDEX users_disabled ON users (position) WHERE disabled_at IS NOT NULL;

CREATE TABLE sessions (
  id             uuid PRIMARY KEY,
  position       bigint GENERATED ALWAYS AS IDENTITY,
  user_id        uuid NOT NULL REFERENCES users (id),
  -- SHA-256 of both halves of the refresh token: the half that stays, and the half that changes with each use.
  family_hash    text NOT NULL UNIQUE CHECK (length(family_hash) = 43),
  secret_hash    text NOT NULL CHECK (length(secret_hash) = 43),
  spent_hash     text CHECK (length(spent_hash) = 43),
  rotated_at     timestamptz,
  address        text,
  network        text NOT NULL,
  user_agent     text,
  created_at     timestamptz NOT NULL DEFAULT now(),
  last_used_at   timestamptz NOT NULL DEFAULT now(),
  expires_at     timestamptz NOT NULL,
  ended_at       timestamptz,
  end_reason     text CHECK (end_reason IN ('logout', 'password-changed', 'token-reused', 'user-disabled')),
  CHECK ((spent_hash IS NULL) = (rotated_at IS NULL)),
  CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX sessions_by_user ON sessions (user_id, position);
CREATE INDEX sessions_by_network ON sessions (user_id, network);
CREATE INDEX sessions_dead ON sessions (least(ended_at, expires_at));

CREATE TABLE api_keys (
  id           uuid PRIMARY KEY,
  position     bigint GENERATED ALWAYS AS IDENTITY,
  user_id      uuid NOT NULL REFERENCES users (id),
  name         text NOT NULL CHECK (name <> ''),
  prefix       text NOT NULL,
  secret_hash  text NOT NULL UNIQUE CHECK (length(secret_hash) = 43),
  scopes       text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['read', 'write', 'admin']),
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz,
  last_used_at timestamptz
);
CREATE INDEX api_keys_by_user ON api_keys (user_id, position);

CREATE TABLE login_attempts (
  -- SHA-256 of what is counted for: an account from a network, an account, a network.
  subject       text PRIMARY KEY CHECK (length(subject) = 43),
  failures      integer NOT NULL CHECK (failures >= 0),
  counted_since timestamptz NOT NULL DEFAULT now(),
  locked_until  timestamptz
);
CREATE INDEX login_attempts_old ON login_attempts (counted_since);
`;

const DOWN = `
DROP TABLE login_attempts, api_keys, sessions;
ALTER TABLE users DROP COLUMN position, DROP COLUMN disabled_at;
DROP INDEX users_by_email_prefix, users_admins;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
