import type { Request } from 'express';
import type {
  eventsRoute,
  jobEventsRoute,
  websocketStatsRoute,
  websocketTestRoute,
} from '../../contract/events.contract.js';
import { ANSWERED, type AuthenticatedScope, type RouteHandler } from '../../http/route-table.js';
import type { EventStreams } from '../../realtime/event-streams.js';
import { presentEvent } from './event.presenter.js';
import type { EventService, FollowableLog } from './event.service.js';

const STREAM_TYPE = 'text/event-stream';

/** `X-Accel-Buffering`: nginx would hold the events back until they fill a buffer. */
const STREAM_HEADERS = {
  'Content-Type': STREAM_TYPE,
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
};

export class EventController {
  constructor(
    private readonly events: EventService,
    private readonly streams: EventStreams,
  ) {}

  readonly stream: RouteHandler<typeof eventsRoute> = async ({ query, headers }, scope) => {
    const log = await this.events.logOf(scope.principal.userId);
    const after = positionIn(log, headers['Last-Event-ID'] ?? query.after);
    return wantsStream(scope.request)
      ? this.answerWithStream(log, after ?? log.end, scope)
      : answerWithPage(log, after ?? log.start, query.limit);
  };

  readonly streamOfJob: RouteHandler<typeof jobEventsRoute> = async ({ params, query, headers }, scope) => {
    const log = await this.events.logOfJob(scope.principal.userId, params.id);
    const after = positionIn(log, headers['Last-Event-ID'] ?? query.after) ?? log.start;
    return wantsStream(scope.request)
      ? this.answerWithStream(log, after, scope)
      : answerWithPage(log, after, query.limit);
  };

  readonly websocketStats: RouteHandler<typeof websocketStatsRoute> = async (_input, { principal }) => {
    const { total, own } = await this.events.countConnections(principal.userId);
    return { body: { success: true, data: { totalConnections: total, userConnections: own } } };
  };

  readonly websocketTest: RouteHandler<typeof websocketTestRoute> = async ({ body }, { principal }) => {
    await this.events.sendTest(principal.userId, body.message);
    return { body: { success: true, message: 'Test notification sent' } };
  };

  private async answerWithStream(
    { isComplete, isLast, readAfter }: FollowableLog,
    after: number,
    { principal, request, response }: AuthenticatedScope,
  ): Promise<typeof ANSWERED> {
    // A position that is gone is refused while there can still be a refusal.
    const next = await readAfter(after, 1);
    if (isComplete && next.length === 0) {
      response.status(204).end();
      return ANSWERED;
    }
    response.status(200).set(STREAM_HEADERS);
    if (request.method === 'HEAD') response.end();
    else this.streams.start(response, { principal, after, read: readAfter, isLast });
    return ANSWERED;
  }
}

async function answerWithPage({ readAfter }: FollowableLog, after: number, limit: number) {
  const events = await readAfter(after, limit);
  return { body: { events: events.map(presentEvent), nextAfter: events.at(-1)?.seq ?? after } };
}

/** A position that the log has not reached is of another database or made up: then it is the end of what there is. */
function positionIn({ end }: FollowableLog, asked: number | undefined): number | undefined {
  return asked === undefined ? undefined : Math.min(asked, end);
}

/** Who takes anything gets what ends by itself. */
function wantsStream(request: Request): boolean {
  return request.accepts('application/json', STREAM_TYPE) === STREAM_TYPE;
}
