/**
 * What can be wrong with a server of the Open Inference Protocol, in the words that both transports share. A server that
 * is given one of these is right in everything else.
 */
export const KSERVE_FAULTS = [
  // Before a model is asked.
  'server-not-ready',
  'model-not-ready',
  'no-such-model',
  'refuses-token',
  // By the status of an answer.
  'full', // 429 or RESOURCE_EXHAUSTED, with seconds to wait
  'full-silent', // 503 or UNAVAILABLE, without
  'unusable-input', // the model says whose fault it is
  'bad-request', // 400 or INVALID_ARGUMENT
  'internal-error', // 500 or INTERNAL
  // In the answer.
  'no-velocity',
  'too-few-rows',
  'five-numbers',
  'texts-for-numbers',
  'wrong-length', // data and shape do not belong together
  'nan',
  'unknown-problem',
  'huge-answer',
  // In the transport.
  'never-answers',
  'dies', // the connection breaks under a request
  'html',
  'half-answer',
  'redirect-elsewhere',
  'trickle',
] as const;
export type KserveFault = (typeof KSERVE_FAULTS)[number];

/** Those that have no meaning over gRPC, whose frames and types are not the model's to get wrong. */
export const HTTP_ONLY_FAULTS: readonly KserveFault[] = ['html', 'half-answer', 'redirect-elsewhere', 'trickle'];

export const RETRY_AFTER_SECONDS = 7;
