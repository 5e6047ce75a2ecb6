export const PROCESS_ROLES = ['all', 'api', 'worker', 'scheduler', 'migrate'] as const;
export type ProcessRole = (typeof PROCESS_ROLES)[number];
