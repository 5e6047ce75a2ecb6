/**
 * What can be wrong with a model server, by the moment it shows. A server that is given one of these is right in
 * everything else.
 */
export const SERVER_FAULTS = [
  // Before it has read the input.
  'no-slot', // 409, Retry-After in seconds
  'no-slot-silent', // 409, no Retry-After
  'too-many-requests', // 429, Retry-After as a date
  'not-ready', // 503, Retry-After in seconds
  'refuses-token', // 401
  'no-such-route', // 404
  'too-large-input', // 413, and closes the connection while input is still coming
  'reads-nothing', // takes no more of the input
  'dies-mid-upload',
  // When it has the input.
  'unusable-input', // 422 of the contract
  'bad-input-in-words', // 400 as an older server says it
  'wrong-form', // 422 of FastAPI itself: the form is not what it expects
  'internal-error', // 500
  'cancelled-by-itself', // 499
  'dies-before-headers',
  'never-answers',
  'stands-still', // progress ends after one frame, and no answer comes
  'not-http',
  'no-content', // 204
  'redirect-elsewhere',
  'redirect-loop',
  'redirect-once', // 307 to itself, which is fine
  // In its answer.
  'not-json',
  'html',
  'wrong-shape',
  'half-answer', // JSON of which a half is missing
  'nan',
  'null-velocity',
  'five-numbers',
  'too-few-rows',
  'wrong-frames',
  'huge-json',
  'endless-answer',
  'trickle',
  'falls-silent', // half of the answer, then nothing more
  'dies-mid-json',
  // In its archive.
  'download-elsewhere',
  'download-missing', // 404
  'html-archive',
  'not-a-zip',
  'truncated-zip',
  'huge-zip',
  'endless-zip',
  'trickling-zip',
  'dies-mid-zip',
  // When a job is cancelled.
  'slow-cancel', // says so after five seconds
  'lost-cancel', // never says anything
  'completes-on-cancel',
  // When it is asked how far it is.
  'wrong-progress',
  'wrong-rows',
] as const;
export type ServerFault = (typeof SERVER_FAULTS)[number];

/** Seconds in `Retry-After`, by fault; a date says the same. */
export const RETRY_AFTER_SECONDS = { 'no-slot': 7, 'too-many-requests': 30, 'not-ready': 11 } as const;
