import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Sequelize } from 'sequelize';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { defineModels } from '../../src/platform/database/model-registry.js';

/**
 * Every promise of the host product has an id: D1 its routes, D2 its features, D6 its commands. A test that keeps one
 * says so in its title; here is looked after that none is forgotten. Promises of documents and tools are kept below.
 */
const PROMISES: Record<string, number> = { D1: 19, D2: 20, D6: 7 };
const ALL = Object.entries(PROMISES).flatMap(([group, count]) =>
  Array.from({ length: count }, (_, index) => `${group}.${index + 1}`),
);

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const packageJson = JSON.parse(read('package.json')) as { license: string; scripts: Record<string, string> };

describe('the promises of the host product', () => {
  const named = new Set(
    testFiles('src', 'tests')
      .flatMap(titlesOf)
      .flatMap((title) => title.match(/\bD\d+\.\d+\b/g) ?? []),
  );

  it('are each named by a test', () => {
    expect(ALL.filter((id) => !named.has(id))).toEqual([]);
  });

  it('are the only ones that tests name', () => {
    expect([...named].filter((id) => !ALL.includes(id))).toEqual([]);
  });
});

describe('the promises of documents and tools', () => {
  it('D2.15 every feature with routes has them in a controller above a service', () => {
    const routers = readdirSync(path.join(root, 'src/modules'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.router.ts'),
    );
    expect(routers.length).toBeGreaterThan(10);
    for (const router of routers) {
      for (const layer of ['controller', 'service']) {
        expect(existsSync(path.join(root, 'src/modules', router.replace('.router.', `.${layer}.`))), router).toBe(true);
      }
    }
  });

  it('D2.17 npm test runs the suite', () => {
    expect(packageJson.scripts['test']).toMatch(/vitest run$/);
  });

  it('D2.18 the licence is MIT, in LICENSE and in package.json', () => {
    expect(read('LICENSE')).toMatch(/^MIT License/);
    expect(packageJson.license).toBe('MIT');
  });

  it('D2.19 README.md links DATABASE_MODELS.md, which describes every table', () => {
    expect(read('README.md')).toContain('](DATABASE_MODELS.md)');
    const rows = read('DATABASE_MODELS.md').matchAll(/^\| `(\w+)` +\|/gm);
    const models = Object.values(defineModels(new Sequelize({ dialect: 'postgres' })));
    expect([...rows].map(([, table]) => table).sort()).toEqual(models.map((model) => model.getTableName()).sort());
  });

  it('D2.20 the diagrams of tables and parts are drawn, without a place kept for later ones', () => {
    expect(read('DATABASE_MODELS.md')).toContain('```mermaid\nerDiagram');
    expect(read('docs/ARCHITECTURE.md')).toContain('```mermaid\nflowchart');
    for (const file of ['README.md', 'DATABASE_MODELS.md', 'docs/ARCHITECTURE.md']) {
      expect(read(file)).not.toMatch(/\b(?:coming soon|placeholder|to be added)\b/i);
    }
  });

  it('D6.7 hooks check formatting and the form of commit messages', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'infernode-message-'));
    const hook = (message: string) => {
      writeFileSync(path.join(folder, 'message'), message);
      return spawnSync('.githooks/commit-msg', [path.join(folder, 'message')], { cwd: root }).status;
    };
    try {
      expect(hook('feat: resume an upload after a lost connection\n')).toBe(0);
      expect(hook('resumes uploads\n')).toBe(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(read('.githooks/pre-commit')).toContain('scripts/check-staged.mjs');
    expect(packageJson.scripts['lint']).toMatch(/^eslint \. && prettier --check/);
  });
});

function testFiles(...folders: string[]): string[] {
  return folders
    .flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
        path.join(root, folder, file),
      ),
    )
    .filter((file) => file.endsWith('.test.ts'));
}

/** First arguments of `it(…)`, `describe.each(…)(…)` and their like; those that are switched off do not count. */
function titlesOf(file: string): string[] {
  const titles: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /^(?:it|test|describe)\b(?!\.(?:skip|todo)\b)/.test(node.expression.getText())) {
      const title = node.arguments.at(0);
      if (title !== undefined && ts.isStringLiteralLike(title)) titles.push(title.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true));
  return titles;
}
