'use strict';

/** Webhooks, what is to be delivered to them, and each try. */
const UP = `
CREATE TABLE webhooks (
  id                         uuid PRIMARY KEY,
  position                   bigint GENERATED ALWAYS AS IDENTITY,
  user_id                    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  url                        text NOT NULL,
  description                text NOT NULL DEFAULT '',
  -- Empty: every type, also those to come.
  event_types                text[] NOT NULL DEFAULT '{}',
  enabled                    boolean NOT NULL DEFAULT true,
  disabled_reason            text CHECK (disabled_reason IN ('owner', 'gone', 'failing')),
  disabled_at                timestamptz,
  sealed_secret              text NOT NULL,
  previous_sealed_secret     text,
  previous_secret_expires_at timestamptz,
  -- Up to here the events of the owner's log have become deliveries, where they are wanted.
  last_seq                   bigint NOT NULL CHECK (last_seq >= 0),
  failing_since              timestamptz,
  claim_token                uuid,
  lease_expires_at           timestamptz,
  created_at                 timestamptz NOT NULL DEFAULT now(),
  updated_at                 timestamptz NOT NULL DEFAULT now(),
  CHECK (enabled = (disabled_reason IS NULL)),
  CHECK (enabled = (disabled_at IS NULL)),
  CHECK ((claim_token IS NULL) = (lease_expires_at IS NULL)),
  CHECK ((previous_sealed_secret IS NULL) = (previous_secret_expires_at IS NULL))
);
CREATE INDEX webhooks_by_user ON webhooks (user_id, position);

CREATE TABLE webhook_deliveries (
  id           uuid PRIMARY KEY,
  position     bigint GENERATED ALWAYS AS IDENTITY,
  webhook_id   uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  kind         text NOT NULL CHECK (kind IN ('event', 'test', 'replay')),
  message_id   text NOT NULL,
  type         text NOT NULL,
  seq          bigint,
  body         text NOT NULL,
  status       text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED', 'CANCELLED')),
  attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  available_at timestamptz NOT NULL DEFAULT now(),
  created_at   timestamptz NOT NULL DEFAULT now(),
  finished_at  timestamptz,
  CHECK ((status = 'PENDING') = (finished_at IS NULL))
);
CREATE INDEX webhook_deliveries_page ON webhook_deliveries (webhook_id, position);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (webhook_id, position) WHERE status = 'PENDING';
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at) WHERE status <> 'PENDING';
-- An event is delivered to a webhook once; again only by a replay.
CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (webhook_id, seq) WHERE kind = 'event';

CREATE TABLE webhook_attempts (
  delivery_id     uuid NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
  number          integer NOT NULL CHECK (number > 0),
  outcome         text CHECK (outcome IN ('DELIVERED', 'FAILED')),
  response_status integer,
  response_body   text,
  error_code      text,
  error_message   text,
  duration_ms     integer,
  started_at      timestamptz NOT NULL DEFAULT now(),
  finished_at     timestamptz,
  PRIMARY KEY (delivery_id, number),
  CHECK ((outcome IS NULL) = (finished_at IS NULL))
);
`;

const DOWN = `
DROP TABLE webhook_attempts, webhook_deliveries, webhooks;
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
