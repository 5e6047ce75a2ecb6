'use strict';

/**
 * A balance cannot leave its ledger. Each entry has to continue the chain of its account at once; at the commit, the
 * balance has to be what the last entry says. Both cost one look into the index (user_id, id).
 */
const UP = `
CREATE FUNCTION credit_entries_continue_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  held integer := coalesce(
    (SELECT balance_after FROM credit_entries WHERE user_id = NEW.user_id ORDER BY id DESC LIMIT 1), 0);
BEGIN
  IF NEW.balance_after <> held + NEW.amount THEN
    RAISE EXCEPTION 'an entry of % on % credits cannot leave %', NEW.amount, held, NEW.balance_after
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER credit_entries_continue_chain BEFORE INSERT ON credit_entries
  FOR EACH ROW EXECUTE FUNCTION credit_entries_continue_chain();

CREATE FUNCTION users_credit_is_booked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  account uuid := CASE TG_TABLE_NAME WHEN 'users' THEN to_jsonb(NEW) ->> 'id' ELSE to_jsonb(NEW) ->> 'user_id' END;
  held integer := (SELECT credit FROM users WHERE id = account);
  booked integer := coalesce(
    (SELECT balance_after FROM credit_entries WHERE user_id = account ORDER BY id DESC LIMIT 1), 0);
BEGIN
  IF held <> booked THEN
    RAISE EXCEPTION 'account % holds % credits, its ledger says %', account, held, booked
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER users_credit_is_booked AFTER INSERT OR UPDATE OF credit ON users
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION users_credit_is_booked();
CREATE CONSTRAINT TRIGGER credit_entries_are_held AFTER INSERT ON credit_entries
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION users_credit_is_booked();
`;

const DOWN = `
DROP TRIGGER credit_entries_are_held ON credit_entries;
DROP TRIGGER users_credit_is_booked ON users;
DROP FUNCTION users_credit_is_booked();
DROP TRIGGER credit_entries_continue_chain ON credit_entries;
DROP FUNCTION credit_entries_continue_chain();
`;

module.exports = {
  up: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(UP, { transaction })),
  down: (queryInterface) =>
    queryInterface.sequelize.transaction((transaction) => queryInterface.sequelize.query(DOWN, { transaction })),
};
