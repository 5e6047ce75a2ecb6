/** What makes the server stop in order. */
export const STOP_SIGNAL = 'SIGTERM';
