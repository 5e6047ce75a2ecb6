import { Op, type Attributes } from 'sequelize';
import { EVENT_CHANNEL } from '../../platform/events/event-bus.port.js';
import { BaseDao } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { EventModel } from './event.model.js';

export type EventRow = Attributes<EventModel>;

export class EventDao extends BaseDao<EventModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.events);
  }

  async insertAll(rows: readonly Omit<EventRow, 'createdAt'>[]): Promise<void> {
    await this.model.bulkCreate([...rows], { ...this.inScope, returning: false });
  }

  /** Wakes whoever listens, at the commit of this transaction. */
  async notify(userId: string): Promise<void> {
    await this.rows('SELECT pg_notify($1, $2)', [EVENT_CHANNEL, userId]);
  }

  async listAfter(userId: string, seq: number, limit: number): Promise<EventRow[]> {
    const rows = await this.model.findAll({
      where: { userId, seq: { [Op.gt]: String(seq) } },
      order: [['seq', 'ASC']],
      limit,
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }

  async listOfSubjectAfter(userId: string, subjectId: string, seq: number, limit: number): Promise<EventRow[]> {
    const rows = await this.model.findAll({
      where: { userId, subjectId, seq: { [Op.gt]: String(seq) } },
      order: [['seq', 'ASC']],
      limit,
      ...this.inScope,
    });
    return rows.map((row) => row.get({ plain: true }));
  }

  /** The first position that is kept, or null, and the last that was given; of one moment. Null without such a user. */
  async bounds(userId: string): Promise<{ first: string | null; last: string } | null> {
    const [row] = await this.rows<{ first: string | null; last: string }>(
      `SELECT (SELECT min(seq) FROM events WHERE user_id = users.id) AS first, event_seq AS last
       FROM users WHERE id = $1`,
      [userId],
    );
    return row ?? null;
  }
}
