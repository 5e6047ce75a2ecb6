import type {
  createDatasetRoute,
  deleteDatasetRoute,
  getDatasetRoute,
  listDatasetsRoute,
  updateDatasetRoute,
} from '../../contract/dataset.contract.js';
import { parseIfMatch } from '../../http/entity-tags.js';
import type { RouteHandler } from '../../http/route-table.js';
import { presentVideo } from '../video/video.presenter.js';
import type { Dataset, ExpectedVersions } from './dataset.domain.js';
import { presentDataset, presentListedDataset } from './dataset.presenter.js';
import type { DatasetService } from './dataset.service.js';

export class DatasetController {
  constructor(private readonly datasets: DatasetService) {}

  readonly create: RouteHandler<typeof createDatasetRoute> = ({ body }, { principal, once }) =>
    once.run(
      (once) => this.datasets.create(principal.userId, { name: body.name, tags: body.tags ?? [] }, once),
      (dataset: Dataset) => ({
        body: { message: 'Dataset created successfully', dataset: presentDataset(dataset) },
        headers: { ETag: entityTag(dataset) },
      }),
    );

  readonly list: RouteHandler<typeof listDatasetsRoute> = async ({ query, body }, { principal }) => {
    const tags = [...(query.tags ?? []), ...(body.tags ?? [])];
    const match = body.match ?? query.match ?? 'all';
    const page = await this.datasets.list(principal.userId, { tags, match, limit: query.limit, cursor: query.cursor });
    return { body: { datasets: page.items.map(presentListedDataset), nextCursor: page.nextCursor } };
  };

  readonly get: RouteHandler<typeof getDatasetRoute> = async ({ params }, { principal }) => {
    const { dataset, videos } = await this.datasets.get(principal.userId, params.id);
    return {
      body: { dataset: { ...presentListedDataset(dataset), videos: videos.map(presentVideo) } },
      // To be kept by whoever asked, and asked for again each time.
      headers: { ETag: entityTag(dataset), 'Cache-Control': 'private, no-cache' },
    };
  };

  readonly update: RouteHandler<typeof updateDatasetRoute> = async ({ params, body, headers }, { principal }) => {
    const changes = {
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.tags === undefined ? {} : { tags: body.tags }),
    };
    const expected = expectedVersions(headers['If-Match']);
    const dataset = await this.datasets.update(principal.userId, params.id, changes, expected);
    return {
      body: { message: 'Dataset updated successfully', dataset: presentDataset(dataset) },
      headers: { ETag: entityTag(dataset) },
    };
  };

  readonly delete: RouteHandler<typeof deleteDatasetRoute> = async ({ params, headers }, { principal }) => {
    await this.datasets.delete(principal.userId, params.id, expectedVersions(headers['If-Match']));
    return { body: { message: 'Dataset deleted successfully' } };
  };
}

const entityTag = ({ version }: Dataset): string => `"${version}"`;

/** Tags that we never gave fit no version. */
function expectedVersions(ifMatch: string | undefined): ExpectedVersions {
  const tags = parseIfMatch(ifMatch);
  return tags === null ? null : tags.filter((tag) => /^[1-9]\d{0,8}$/.test(tag)).map(Number);
}
