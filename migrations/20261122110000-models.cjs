'use strict';

/**
 * What jobs run, as rows. The first one, `cns`, is what every job before this migration ran; its schema is written at
 * each start, from the contract. Jobs keep name and version beside the id, so that lists need no second table.
 */
const UP = `
CREATE TABLE models (
  id               uuid PRIMARY KEY,
  -- Of several versions of a name the one created last is the newest.
  position         bigint GENERATED ALWAYS AS IDENTITY,
  name             text NOT NULL CHECK (name ~ '^[a-z][a-z0-9]*([-_.][a-z0-9]+)*$' AND length(name) <= 64),
  version          text NOT NULL CHECK (version ~ '^[0-9A-Za-z][0-9A-Za-z.+-]*$' AND length(version) <= 32),
  modality         text NOT NULL CHECK (modality IN ('video-pair')),
  description      text NOT NULL DEFAULT '',
  -- Not jsonb: the order of its properties is the order of a form.
  parameter_schema json NOT NULL CHECK (json_typeof(parameter_schema) = 'object'),
  runners          jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(runners) = 'object'),
  resources        jsonb NOT NULL CHECK (jsonb_typeof(resources) = 'object'),
  digest           text CHECK (digest ~ '^sha256:[0-9a-f]{64}$'),
  status           text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT models_version UNIQUE (name, version),
  CONSTRAINT models_identity UNIQUE (id, name, version)
);
CREATE INDEX models_newest ON models (name, position) WHERE status = 'active';
CREATE INDEX models_page ON models (position);

INSERT INTO models (id, name, version, modality, description, parameter_schema, resources)
VALUES ('00000000-0000-4000-8000-000000636e73', 'cns', '1', 'video-pair',
  'Visual servoing: for each frame the velocity that leads the camera to the goal, by control law or learned policy.',
  '{"type":"object"}', '{"gpu":"preferred"}');

-- Constant defaults rewrite no rows, and a process of the version before goes on to submit jobs.
ALTER TABLE inference_jobs
  ADD COLUMN model_id uuid NOT NULL DEFAULT '00000000-0000-4000-8000-000000636e73',
  ADD COLUMN model_name text NOT NULL DEFAULT 'cns',
  ADD COLUMN model_version text NOT NULL DEFAULT '1',
  ADD COLUMN model_parameters jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(model_parameters) = 'object'),
  ADD CONSTRAINT inference_jobs_model
    FOREIGN KEY (model_id, model_name, model_version) REFERENCES models (id, name, version);
CREATE INDEX inference_jobs_by_model ON inference_jobs (user_id, model_name, status, created_at, id);
`;

const DOWN = `
ALTER TABLE inference_jobs
  DROP COLUMN model_id, DROP COLUMN model_name, DROP COLUMN model_version, DROP COLUMN model_parameters;
DROP TABLE models;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
