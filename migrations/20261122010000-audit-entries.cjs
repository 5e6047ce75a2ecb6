'use strict';

/** Who did what to whom with the powers of an administrator, or to an account's way in. Like the ledger: append-only. */
const UP = `
CREATE TABLE audit_entries (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- NULL: the platform itself, or somebody who is not logged in.
  actor_id    uuid REFERENCES users (id),
  action      text NOT NULL CHECK (action ~ '^[a-z]+(-[a-z]+)*\\.[a-z]+(-[a-z]+)*$'),
  target_type text NOT NULL CHECK (target_type <> ''),
  target_id   text NOT NULL CHECK (target_id <> ''),
  detail      jsonb NOT NULL DEFAULT '{}',
  request_id  text,
  address     text,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_entries_by_action ON audit_entries (action, id);
CREATE INDEX audit_entries_by_actor ON audit_entries (actor_id, id);
CREATE INDEX audit_entries_by_target ON audit_entries (target_id, id);

CREATE FUNCTION audit_entries_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
  FOR EACH ROW EXECUTE FUNCTION audit_entries_append_only();
CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON audit_entries
  FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_append_only();
`;

const DOWN = `
DROP TABLE audit_entries;
DROP FUNCTION audit_entries_append_only();
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
