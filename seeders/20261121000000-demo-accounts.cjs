'use strict';

/**
 * An administrator with 100 000 credits and four users with 100, for trying things out. Run as often as you like: what
 * exists stays as it is. Passwords come from SEED_PASSWORD; without it each account gets a random one that nobody knows
 * until it is changed, so that a forgotten seed opens no door.
 */
const { randomBytes, randomUUID } = require('node:crypto');
const bcrypt = require('bcrypt');

const ACCOUNTS = [
  { email: 'admin@example.com', role: 'admin', credit: 100_000 },
  ...['ada', 'grace', 'alan', 'edsger'].map((name) => ({ email: `${name}@example.com`, role: 'user', credit: 100 })),
];

module.exports = {
  async up(queryInterface) {
    const password = process.env.SEED_PASSWORD ?? randomBytes(24).toString('base64url');
    if (password.length < 8 || Buffer.byteLength(password) > 72) {
      throw new Error('SEED_PASSWORD: a password has at least 8 characters and at most 72 bytes.');
    }
    const passwordHash = await bcrypt.hash(password, 12);
    await queryInterface.sequelize.transaction(async (transaction) => {
      for (const { email, role, credit } of ACCOUNTS) {
        await queryInterface.sequelize.query(
          `WITH account AS (
             INSERT INTO users (id, email, password_hash, role, credit) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (email) DO NOTHING RETURNING id, credit
           )
           INSERT INTO credit_entries (user_id, kind, amount, balance_after, reason)
           SELECT id, 'signup', credit, credit, 'Demo account' FROM account`,
          { bind: [randomUUID(), email, passwordHash, role, credit], transaction },
        );
      }
    });
  },

  async down() {
    throw new Error('Accounts have ledger entries, which are never deleted: demo accounts cannot be taken back.');
  },
};
