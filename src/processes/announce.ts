import type { Container } from '../composition/container.js';

export type NewAdmin = { email: string; password: string } | null;

export function ensureAdmin({ config, services }: Container): Promise<NewAdmin> {
  return services.accounts.ensureAdmin(config.settings.ADMIN_EMAIL, config.settings.ADMIN_PASSWORD);
}

/** For the person at the terminal. The password goes there and nowhere else: it is in no log. */
export function announce(port: number, admin: NewAdmin): void {
  const base = `http://localhost:${port}`;
  const lines = [`InferNode is ready: ${base}`, `  API docs (Swagger UI): ${base}/api/docs`];
  if (admin !== null) {
    lines.push(
      `  First administrator:   ${admin.email}`,
      `  Its password:          ${admin.password}   (shown only now)`,
    );
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}
