'use strict';

/**
 * A version per dataset, which its entity tag shows, and videos that are deleted first and lose their file later. The
 * videos of datasets that are deleted already count as deleted with them.
 */
const UP = `
ALTER TABLE datasets ADD COLUMN version integer NOT NULL DEFAULT 1 CHECK (version > 0);

ALTER TABLE videos
  ADD COLUMN deleted_at timestamptz,
  ADD COLUMN purged_at timestamptz,
  ALTER COLUMN storage_key DROP NOT NULL,
  -- A file is there until it is purged, and nothing is purged that was not deleted.
  ADD CONSTRAINT videos_file_until_purged CHECK ((purged_at IS NULL) = (storage_key IS NOT NULL)),
  ADD CONSTRAINT videos_purged_after_deleted CHECK (purged_at IS NULL OR deleted_at IS NOT NULL);
UPDATE videos SET deleted_at = datasets.deleted_at FROM datasets
  WHERE datasets.id = videos.dataset_id AND datasets.deleted_at IS NOT NULL;

DROP INDEX videos_by_dataset;
CREATE INDEX videos_live_page ON videos (dataset_id, position) WHERE deleted_at IS NULL;
CREATE INDEX videos_to_purge ON videos (deleted_at) WHERE deleted_at IS NOT NULL AND purged_at IS NULL;

-- Which videos are still needed by work that goes on.
CREATE INDEX inference_jobs_open_by_goal ON inference_jobs (goal_video_id) WHERE status IN ('PENDING', 'RUNNING');
CREATE INDEX inference_jobs_open_by_current ON inference_jobs (current_video_id) WHERE status IN ('PENDING', 'RUNNING');
`;

/** Files that are gone do not come back: with a purged video this fails, and changes nothing. */
const DOWN = `
DROP INDEX inference_jobs_open_by_current, inference_jobs_open_by_goal, videos_to_purge, videos_live_page;
CREATE INDEX videos_by_dataset ON videos (dataset_id, position);
ALTER TABLE videos
  DROP CONSTRAINT videos_purged_after_deleted,
  DROP CONSTRAINT videos_file_until_purged,
  ALTER COLUMN storage_key SET NOT NULL,
  DROP COLUMN purged_at,
  DROP COLUMN deleted_at;
ALTER TABLE datasets DROP COLUMN version;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
