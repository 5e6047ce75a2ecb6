'use strict';

/**
 * What a completed job came to, as it is told to its owner for good. The text is written when the job completes and
 * signed when somebody first asks; neither changes afterwards. The public halves of all keys that have ever signed stay,
 * so that every receipt can be verified.
 */
const UP = `
CREATE TABLE receipt_keys (
  key_id     text PRIMARY KEY,
  public_key text NOT NULL CHECK (public_key <> ''),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE receipts (
  job_id     uuid PRIMARY KEY REFERENCES inference_jobs (id),
  payload    text NOT NULL CHECK (payload <> ''),
  key_id     text REFERENCES receipt_keys (key_id),
  jws        text,
  created_at timestamptz NOT NULL DEFAULT now(),
  signed_at  timestamptz,
  CHECK ((jws IS NULL) = (key_id IS NULL) AND (jws IS NULL) = (signed_at IS NULL))
);

CREATE FUNCTION receipts_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the receipt of job % is final', OLD.job_id;
END $$;
CREATE TRIGGER receipts_final BEFORE UPDATE ON receipts FOR EACH ROW
  WHEN (OLD.jws IS NOT NULL OR NEW.payload <> OLD.payload OR NEW.job_id <> OLD.job_id)
  EXECUTE FUNCTION receipts_final();
CREATE TRIGGER receipts_kept BEFORE DELETE ON receipts FOR EACH ROW EXECUTE FUNCTION receipts_final();
`;

const DOWN = `
DROP TABLE receipts, receipt_keys;
DROP FUNCTION receipts_final();
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
