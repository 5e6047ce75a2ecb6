import type { z } from 'zod';
import type { availableRunnersRoute, getRunnerRoute, listRunnerEventsRoute } from '../../contract/runner.contract.js';
import { offerOf, slotsOf, type LoadedRunner, type RunnerEvent } from './runner.domain.js';

type PresentedRunner = z.input<(typeof getRunnerRoute)['success']['answer']['schema']>['runner'];
type PresentedEvent = z.input<(typeof listRunnerEventsRoute)['success']['answer']['schema']>['events'][number];
type PresentedOffer = z.input<(typeof availableRunnersRoute)['success']['answer']['schema']>['runners'][number];

export function presentRunner(runner: LoadedRunner): PresentedRunner {
  const { health, breaker, description } = runner;
  return {
    id: runner.id,
    name: runner.name,
    kind: runner.kind,
    url: runner.url,
    has_token: runner.sealedToken !== null,
    slots: slotsOf(runner),
    slots_from: runner.slots === null ? 'runner' : 'setting',
    in_flight: runner.inFlight,
    origin: runner.origin,
    enabled: runner.disabledBy === null,
    disabled_by: runner.disabledBy,
    draining: runner.draining,
    health: {
      state: health.state,
      detail: health.detail,
      checked_at: toText(health.checkedAt),
      latency_ms: health.latencyMs,
    },
    breaker: { state: breaker.state, failures: breaker.failures, opened_until: toText(breaker.openedUntil) },
    not_before: toText(runner.notBefore),
    version: description.version,
    ...presentAbilities(runner),
    weights: { ...description.models },
    created_at: runner.createdAt.toISOString(),
    updated_at: runner.updatedAt.toISOString(),
  };
}

export function presentOffer(runner: LoadedRunner, state: PresentedOffer['state']): PresentedOffer {
  return { name: runner.name, kind: runner.kind, state, ...presentAbilities(runner) };
}

export function presentRunnerEvent({ createdAt, ...event }: RunnerEvent): PresentedEvent {
  return { ...event, created_at: createdAt.toISOString() };
}

function presentAbilities(runner: LoadedRunner) {
  const { device, serves, policies, detectors } = offerOf(runner);
  return { device, models: [...serves], policies: [...policies], detectors: [...detectors] };
}

const toText = (time: Date | null): string | null => time?.toISOString() ?? null;
