import type { jobReceiptRoute } from '../../contract/receipt.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import type { ReceiptService } from './receipt.service.js';

export class ReceiptController {
  constructor(private readonly receipts: ReceiptService) {}

  readonly get: RouteHandler<typeof jobReceiptRoute> = async ({ params }, { principal }) => ({
    body: await this.receipts.get(principal.userId, params.id),
  });
}
