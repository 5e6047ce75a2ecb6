'use strict';

/**
 * What an attempt has consumed stands in its own row, whether it ends well or not; a checkpoint no longer carries it.
 * The totals per user and day are kept as rows, written with the end of each attempt, so that reading them does not
 * depend on how many jobs there were. Jobs of before count with what their rows still tell.
 */
const UP = `
ALTER TABLE inference_attempts ADD COLUMN footprint jsonb;

ALTER TABLE inference_checkpoints DROP COLUMN usage;

CREATE TABLE usage_days (
  user_id       uuid NOT NULL REFERENCES users (id),
  day           date NOT NULL,
  jobs          integer NOT NULL DEFAULT 0 CHECK (jobs >= 0),
  attempts      integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  frames        bigint NOT NULL DEFAULT 0 CHECK (frames >= 0),
  wall_seconds  double precision NOT NULL DEFAULT 0,
  cpu_seconds   double precision NOT NULL DEFAULT 0,
  gpu_seconds   double precision NOT NULL DEFAULT 0,
  energy_wh     double precision NOT NULL DEFAULT 0,
  carbon_grams  double precision NOT NULL DEFAULT 0,
  credits       bigint NOT NULL DEFAULT 0 CHECK (credits >= 0),
  PRIMARY KEY (user_id, day)
);

INSERT INTO usage_days (user_id, day, attempts)
SELECT job.user_id, (attempt.finished_at AT TIME ZONE 'UTC')::date, count(*)
FROM inference_attempts AS attempt JOIN inference_jobs AS job ON job.id = attempt.job_id
WHERE attempt.finished_at IS NOT NULL GROUP BY 1, 2;

INSERT INTO usage_days (user_id, day, jobs, frames, wall_seconds, cpu_seconds, gpu_seconds, energy_wh, carbon_grams, credits)
SELECT job.user_id, (job.finished_at AT TIME ZONE 'UTC')::date, count(*), coalesce(sum(job.progress_total), 0),
  coalesce(sum((result.payload #>> '{usage,wallSeconds}')::double precision), 0),
  coalesce(sum((result.payload #>> '{usage,cpuSeconds}')::double precision), 0),
  coalesce(sum((result.payload #>> '{usage,gpuSeconds}')::double precision), 0),
  coalesce(sum(job.energy_wh), 0), coalesce(sum(job.carbon_footprint), 0), sum(job.cost)
FROM inference_jobs AS job LEFT JOIN results AS result ON result.job_id = job.id
WHERE job.status = 'COMPLETED' GROUP BY 1, 2
ON CONFLICT (user_id, day) DO UPDATE SET jobs = excluded.jobs, frames = excluded.frames,
  wall_seconds = excluded.wall_seconds, cpu_seconds = excluded.cpu_seconds, gpu_seconds = excluded.gpu_seconds,
  energy_wh = excluded.energy_wh, carbon_grams = excluded.carbon_grams, credits = excluded.credits;
`;

const DOWN = `
DROP TABLE usage_days;
ALTER TABLE inference_checkpoints ADD COLUMN usage jsonb NOT NULL
  DEFAULT '{"wallSeconds": 0, "cpuSeconds": 0, "gpuSeconds": 0, "energy": null, "reportedCarbonGrams": null}';
ALTER TABLE inference_checkpoints ALTER COLUMN usage DROP DEFAULT;
ALTER TABLE inference_attempts DROP COLUMN footprint;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
