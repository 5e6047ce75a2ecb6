import { createHash } from 'node:crypto';

const STYLE = `
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #151a21; color: #e4e8ee;
    font: 16px/1.5 system-ui, sans-serif; }
  main { width: 20rem; max-width: 90vw; }
  h1 { font-size: 1.25rem; margin: 0 0 1rem; }
  label { display: block; margin: 0 0 1rem; }
  input { display: block; box-sizing: border-box; width: 100%; margin-top: .25rem; padding: .5rem .6rem; font: inherit;
    color: inherit; background: #0f1318; border: 1px solid #46505e; border-radius: 4px; }
  button { width: 100%; padding: .55rem; font: inherit; font-weight: 600; color: #10151b; background: #7fb4ff; border: 0;
    border-radius: 4px; cursor: pointer; }
  a { color: #7fb4ff; }
  [role=alert] { margin: 0 0 1rem; padding: .5rem .75rem; border-left: 3px solid #ff8f8f; background: #2a1d22; }
`;

/** No script, nothing from elsewhere, in nobody's frame, and the one style that is in the page. */
export const PAGE_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The form an administrator logs in with. */
export function loginPage({ problem, email = '' }: { problem?: string; email?: string } = {}): string {
  return page(`
    <h1>InferNode administration</h1>
    ${problem === undefined ? '' : `<p role="alert">${escapeHtml(problem)}</p>`}
    <form method="post" action="login">
      <label>Email address
        <input name="email" type="email" autocomplete="username" required autofocus value="${escapeHtml(email)}">
      </label>
      <label>Password
        <input name="password" type="password" autocomplete="current-password" required>
      </label>
      <button>Log in</button>
    </form>`);
}

/** What the login page is for somebody who is logged in. */
export function sessionPage(email: string): string {
  return page(`
    <h1>InferNode administration</h1>
    <p>Logged in as ${escapeHtml(email)}. <a href="queues">Queues</a></p>
    <form method="post" action="logout"><button>Log out</button></form>`);
}

function page(content: string): string {
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex">
    <title>InferNode administration</title>
    <style>${STYLE}</style>
  </head>
  <body>
    <main>${content}
    </main>
  </body>
</html>
`;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]);
