import type { quoteRoute } from '../../contract/credit.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import type { Quote } from './quote.domain.js';
import type { QuoteService } from './quote.service.js';

export class QuoteController {
  constructor(private readonly quotes: QuoteService) {}

  readonly quote: RouteHandler<typeof quoteRoute> = async ({ body }, { principal: { userId } }) => {
    if (body.kind === 'inference') return { body: present(await this.quotes.ofJobs({ ...body, userId })) };
    const frameCounts = Array.isArray(body.frames) ? body.frames : [body.frames];
    return { body: present(await this.quotes.ofUpload(userId, body.datasetId, frameCounts)) };
  };
}

function present({ items, ...quote }: Quote) {
  return {
    ...quote,
    items: items.map(({ frames, cost, goalVideoId, currentVideoId }) => ({
      frames,
      cost,
      ...(goalVideoId === undefined ? {} : { goal_video_id: goalVideoId }),
      ...(currentVideoId === undefined ? {} : { current_video_id: currentVideoId }),
    })),
  };
}
