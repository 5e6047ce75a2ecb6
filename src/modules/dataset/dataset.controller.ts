import type {
  createDatasetRoute,
  deleteDatasetRoute,
  getDatasetRoute,
  listDatasetsRoute,
  updateDatasetRoute,
} from '../../contract/dataset.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import { presentVideo } from '../video/video.presenter.js';
import { presentDataset, presentListedDataset } from './dataset.presenter.js';
import type { Dataset } from './dataset.domain.js';
import type { DatasetService } from './dataset.service.js';

export class DatasetController {
  constructor(private readonly datasets: DatasetService) {}

  readonly create: RouteHandler<typeof createDatasetRoute> = ({ body }, { principal, once }) =>
    once.run(
      (once) => this.datasets.create(principal.userId, { name: body.name, tags: body.tags ?? [] }, once),
      (dataset: Dataset) => ({ body: { message: 'Dataset created successfully', dataset: presentDataset(dataset) } }),
    );

  readonly list: RouteHandler<typeof listDatasetsRoute> = async ({ query, body }, { principal }) => {
    const tags = [...(query.tags ?? []), ...(body.tags ?? [])];
    const page = await this.datasets.list(principal.userId, { tags, limit: query.limit, cursor: query.cursor });
    return { body: { datasets: page.items.map(presentListedDataset), nextCursor: page.nextCursor } };
  };

  readonly get: RouteHandler<typeof getDatasetRoute> = async ({ params }, { principal }) => {
    const { dataset, videos } = await this.datasets.get(principal.userId, params.id);
    return { body: { dataset: { ...presentListedDataset(dataset), videos: videos.map(presentVideo) } } };
  };

  readonly update: RouteHandler<typeof updateDatasetRoute> = async ({ params, body }, { principal }) => {
    const changes = {
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.tags === undefined ? {} : { tags: body.tags }),
    };
    const dataset = await this.datasets.update(principal.userId, params.id, changes);
    return { body: { message: 'Dataset updated successfully', dataset: presentDataset(dataset) } };
  };

  readonly delete: RouteHandler<typeof deleteDatasetRoute> = async ({ params }, { principal }) => {
    await this.datasets.delete(principal.userId, params.id);
    return { body: { message: 'Dataset deleted successfully' } };
  };
}
