'use strict';

/**
 * Files that arrive in several requests. The bytes lie in the store under the upload's id; the row says what becomes of
 * them, who is writing right now (`lock_…`) and who is making a video of them (`claim_…`).
 */
const UP = `
CREATE TABLE uploads (
  id               uuid PRIMARY KEY,
  user_id          uuid NOT NULL REFERENCES users (id),
  dataset_id       uuid NOT NULL REFERENCES datasets (id),
  name             text NOT NULL CHECK (name <> ''),
  type             text NOT NULL CHECK (type IN ('video', 'zip')),
  -- As the client sent it, to be repeated to it: json keeps the order.
  metadata         json NOT NULL,
  length           bigint NOT NULL CHECK (length > 0),
  received         bigint NOT NULL DEFAULT 0,
  state            text NOT NULL DEFAULT 'receiving' CHECK (state IN ('receiving', 'processing', 'done', 'refused')),
  problem          jsonb,
  video_ids        uuid[] NOT NULL DEFAULT '{}',
  claim_token      uuid,
  claim_expires_at timestamptz,
  lock_token       uuid,
  lock_expires_at  timestamptz,
  lock_wanted      boolean NOT NULL DEFAULT false,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now(),
  expires_at       timestamptz NOT NULL,
  CHECK (received BETWEEN 0 AND length),
  CHECK (state = 'receiving' OR received = length),
  CHECK ((state = 'refused') = (problem IS NOT NULL)),
  CHECK ((state = 'done') = (cardinality(video_ids) > 0)),
  CHECK ((state = 'processing') = (claim_token IS NOT NULL)),
  CHECK ((claim_token IS NULL) = (claim_expires_at IS NULL)),
  CHECK ((lock_token IS NULL) = (lock_expires_at IS NULL))
);
CREATE INDEX uploads_unfinished_by_user ON uploads (user_id) WHERE state <> 'done';
CREATE INDEX uploads_by_expiry ON uploads (expires_at);
CREATE INDEX uploads_to_finish ON uploads (updated_at)
  WHERE state = 'processing' OR (state = 'receiving' AND received = length);

-- What became of an upload stays as it is: its videos are there and paid.
CREATE FUNCTION uploads_done_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'upload % is done', OLD.id;
END $$;
CREATE TRIGGER uploads_done_is_final BEFORE UPDATE OF state, video_ids ON uploads
  FOR EACH ROW WHEN (OLD.state = 'done') EXECUTE FUNCTION uploads_done_is_final();
`;

const DOWN = `
DROP TABLE uploads;
DROP FUNCTION uploads_done_is_final();
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
