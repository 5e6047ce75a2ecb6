export const PROCESS_ROLES = ['all', 'api', 'worker', 'scheduler', 'migrate'] as const;
export type ProcessRole = (typeof PROCESS_ROLES)[number];

export function isProcessRole(text: string): text is ProcessRole {
  return (PROCESS_ROLES as readonly string[]).includes(text);
}
