import type { Attributes, CreationAttributes } from 'sequelize';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { CheckpointPieceModel } from './checkpoint-piece.model.js';

export class CheckpointPieceDao extends BaseDao<CheckpointPieceModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.checkpointPieces);
  }

  /** Those that are there already stay: the answer to the write before may have been lost. */
  async add(pieces: CreationAttributes<CheckpointPieceModel>[]): Promise<void> {
    await this.model.bulkCreate(pieces, { ...this.inScope, ignoreDuplicates: true, returning: false });
  }

  /** In the order of their rows. */
  async listOf(jobId: string): Promise<Attributes<CheckpointPieceModel>[]> {
    const rows = await this.model.findAll({ where: { jobId }, order: ['firstRow'], ...this.inScope });
    return rows.map((row) => row.get({ plain: true }));
  }

  async picturesKeysOf(jobId: string): Promise<string[]> {
    const rows = await this.rows<{ pictures_key: string }>(
      `SELECT pictures_key FROM inference_checkpoint_pieces WHERE job_id = $1 AND pictures_key IS NOT NULL`,
      [jobId],
    );
    return rows.map((row) => row.pictures_key);
  }

  /** Those of `keys` that a piece refers to. */
  async knownPicturesKeys(keys: readonly string[]): Promise<Set<string>> {
    const rows = await this.rows<{ pictures_key: string }>(
      'SELECT pictures_key FROM inference_checkpoint_pieces WHERE pictures_key = ANY ($1::text[])',
      [keys],
    );
    return new Set(rows.map((row) => row.pictures_key));
  }
}
