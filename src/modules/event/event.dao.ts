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

  async usersWithOld(ageSeconds: number, after: string | null, limit: number): Promise<string[]> {
    const rows = await this.rows<{ id: string }>(
      `SELECT id FROM users
       WHERE ($2::uuid IS NULL OR id > $2)
         AND (SELECT created_at FROM events WHERE user_id = users.id ORDER BY seq LIMIT 1)
             < now() - make_interval(secs => $1)
       ORDER BY id LIMIT $3`,
      [ageSeconds, after, limit],
    );
    return rows.map(({ id }) => id);
  }

  /**
   * Removes up to the first event that is to stay: clocks may disagree with the numbers, and a hole in the middle would
   * not be seen. An event that a webhook has still to take stays, too.
   */
  async removeOldOf(userId: string, ageSeconds: number, limit: number): Promise<number> {
    const rows = await this.rows(
      `DELETE FROM events WHERE user_id = $1 AND seq IN (
         SELECT seq FROM events WHERE user_id = $1 AND seq < least(
           (SELECT min(seq) FROM events WHERE user_id = $1 AND created_at >= now() - make_interval(secs => $2)),
           (SELECT min(last_seq) + 1 FROM webhooks WHERE user_id = $1 AND enabled),
           (SELECT event_seq + 1 FROM users WHERE id = $1)
         ) ORDER BY seq LIMIT $3
       ) RETURNING seq`,
      [userId, ageSeconds, limit],
    );
    return rows.length;
  }
}
