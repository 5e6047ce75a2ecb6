import type { AddedVideo } from '../../contract/dataset.contract.js';
import type { Upload } from './upload.domain.js';

export function presentUpload(upload: Upload, offset: number, videos: AddedVideo[]) {
  const { problem } = upload;
  return {
    id: upload.id,
    state: upload.state,
    offset,
    length: upload.length,
    dataset_id: upload.datasetId,
    name: upload.name,
    type: upload.type,
    videos,
    problem: problem === null ? null : { code: problem.code, detail: problem.detail },
    created_at: upload.createdAt.toISOString(),
    expires_at: upload.expiresAt.toISOString(),
  };
}
