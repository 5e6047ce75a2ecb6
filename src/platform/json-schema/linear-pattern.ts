import { RE2JS } from 're2js';

/** Longest pattern, in characters. */
const MAX_LENGTH = 500;
/** Most states of the automaton; each character of a text costs as many steps at worst. */
const MAX_STATES = 500;

/** The part of a regular expression that schemas need. */
export interface LinearPattern {
  test(text: string): boolean;
  /** The pattern itself. */
  toString(): string;
}

/**
 * A regular expression that is matched in time linear in the text (RE2), whatever its author had in mind. Everything of
 * JavaScript but look-around and back references.
 * @throws SyntaxError that says in words what is wrong
 */
export function linearPattern(pattern: string): LinearPattern {
  if (pattern.length > MAX_LENGTH) throw new SyntaxError(`A pattern has at most ${MAX_LENGTH} characters.`);
  const automaton = compile(pattern);
  if (automaton.programSize() > MAX_STATES) {
    throw new SyntaxError('This pattern needs too many states: repeat less, or less within repetitions.');
  }
  return { test: (text) => automaton.test(text), toString: () => pattern };
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SyntaxError(
      `This is no pattern that can be matched in linear time (look-around and back references cannot): ${reason}`,
      { cause: error },
    );
  }
}
