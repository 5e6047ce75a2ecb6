import type {
  availableRunnersRoute,
  createRunnerRoute,
  deleteRunnerRoute,
  drainRunnerRoute,
  getRunnerRoute,
  listRunnerEventsRoute,
  listRunnersRoute,
  resumeRunnerRoute,
  testRunnerRoute,
  updateRunnerRoute,
} from '../../contract/runner.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import type { RunnerAdminService } from './runner-admin.service.js';
import type { RunnerService } from './runner.service.js';
import type { LoadedRunner } from './runner.domain.js';
import { presentOffer, presentRunner, presentRunnerEvent } from './runner.presenter.js';

export class RunnerController {
  constructor(
    private readonly runners: RunnerAdminService,
    private readonly view: RunnerService,
  ) {}

  readonly list: RouteHandler<typeof listRunnersRoute> = async ({ query }) => {
    const page = await this.runners.list(query);
    return { body: { runners: page.items.map(presentRunner), nextCursor: page.nextCursor } };
  };

  readonly create: RouteHandler<typeof createRunnerRoute> = ({ body }, { principal, once }) =>
    once.run(
      (once) => this.runners.create(principal.userId, body, once),
      (runner: LoadedRunner) => ({ body: { message: 'Runner added', runner: presentRunner(runner) } }),
    );

  readonly get: RouteHandler<typeof getRunnerRoute> = async ({ params }) => ({
    body: { runner: presentRunner(await this.runners.get(params.id)) },
  });

  readonly update: RouteHandler<typeof updateRunnerRoute> = async ({ params, body }, { principal }) => {
    const runner = await this.runners.update(principal.userId, params.id, body);
    return { body: { message: 'Runner updated', runner: presentRunner(runner) } };
  };

  readonly delete: RouteHandler<typeof deleteRunnerRoute> = async ({ params }, { principal }) => {
    await this.runners.remove(principal.userId, params.id);
    return { body: { message: 'Runner removed' } };
  };

  readonly test: RouteHandler<typeof testRunnerRoute> = async ({ params }, { principal }) => {
    const { runner, report } = await this.runners.test(principal.userId, params.id);
    return { body: { message: `The runner is ${report.state}`, runner: presentRunner(runner) } };
  };

  readonly drain: RouteHandler<typeof drainRunnerRoute> = async ({ params }, { principal }) => {
    const runner = await this.runners.drain(principal.userId, params.id);
    return { body: { message: 'The runner gets no new jobs', runner: presentRunner(runner) } };
  };

  readonly resume: RouteHandler<typeof resumeRunnerRoute> = async ({ params }, { principal }) => {
    const runner = await this.runners.resume(principal.userId, params.id);
    return { body: { message: 'The runner gets jobs again', runner: presentRunner(runner) } };
  };

  readonly events: RouteHandler<typeof listRunnerEventsRoute> = async ({ params, query }) => {
    const page = await this.runners.events(params.id, query);
    return { body: { events: page.items.map(presentRunnerEvent), nextCursor: page.nextCursor } };
  };

  readonly available: RouteHandler<typeof availableRunnersRoute> = async () => {
    const offers = await this.view.available();
    return { body: { runners: offers.map(({ runner, state }) => presentOffer(runner, state)) } };
  };
}
