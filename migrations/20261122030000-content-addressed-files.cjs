'use strict';

/**
 * Identical content is stored once: `stored_files` has a row per content, videos refer to it, and an upload under way
 * holds it by a reservation. Videos that were stored twice before are led to one file; the sweeper takes the other away.
 */
const UP = `
CREATE TABLE stored_files (
  sha256      text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  storage_key text NOT NULL UNIQUE,
  size_bytes  bigint NOT NULL CHECK (size_bytes > 0),
  created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE file_reservations (
  id          uuid PRIMARY KEY,
  storage_key text NOT NULL REFERENCES stored_files (storage_key),
  expires_at  timestamptz NOT NULL
);
CREATE INDEX file_reservations_by_file ON file_reservations (storage_key);
CREATE INDEX file_reservations_by_expiry ON file_reservations (expires_at);

INSERT INTO stored_files (sha256, storage_key, size_bytes, created_at)
  SELECT DISTINCT ON (sha256) sha256, storage_key, size_bytes, created_at FROM videos ORDER BY sha256, position;

ALTER TABLE videos DROP CONSTRAINT videos_storage_key_key;
UPDATE videos SET storage_key = stored_files.storage_key FROM stored_files
  WHERE videos.sha256 = stored_files.sha256 AND videos.storage_key <> stored_files.storage_key;
ALTER TABLE videos
  ADD CONSTRAINT videos_storage_key_fkey FOREIGN KEY (storage_key) REFERENCES stored_files (storage_key);
CREATE INDEX videos_by_file ON videos (storage_key);
`;

/** Videos that share a file by now cannot go back to a file each: then this fails, and changes nothing. */
const DOWN = `
ALTER TABLE videos DROP CONSTRAINT videos_storage_key_fkey;
DROP INDEX videos_by_file;
ALTER TABLE videos ADD CONSTRAINT videos_storage_key_key UNIQUE (storage_key);
DROP TABLE file_reservations, stored_files;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
