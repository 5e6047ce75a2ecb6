import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Queue } from 'bullmq';
import type { Express } from 'express';

interface Options {
  queues: readonly Queue[];
  /** Where it is mounted, without a slash at its end. */
  basePath: string;
  readOnly: boolean;
  links: readonly { text: string; url: string }[];
}

/** Bull Board over these queues, on whatever backend they are. Whoever mounts it says who may come in. */
export function createQueueBoard({ queues, basePath, readOnly, links }: Options): Express {
  const serverAdapter = new ExpressAdapter();
  serverAdapter.setBasePath(basePath);
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: readOnly })),
    serverAdapter,
    options: {
      uiConfig: {
        boardTitle: 'InferNode queues',
        miscLinks: [...links],
        hideDocsLink: true,
      },
    },
  });
  // Passed on to the handler of the whole API: one format, a line in the log, and nothing of the database told.
  serverAdapter.setErrorHandler((error) => {
    throw error;
  });
  const board = serverAdapter.getRouter() as Express;
  board.disable('x-powered-by');
  return board;
}
