import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise, type ICruiseOptions, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * A boundary nobody can cross unnoticed: a small tree that obeys every rule is cruised with the project's own
 * configuration, then again with one planted violation at a time.
 */
const root = fileURLToPath(new URL('../..', import.meta.url));

interface CruiserConfiguration {
  forbidden: (IForbiddenRuleType & { name: string })[];
  options: ICruiseOptions;
}
const configuration = createRequire(import.meta.url)('../../.dependency-cruiser.cjs') as CruiserConfiguration;

const PACKAGES = [
  ...['express', 'express-rate-limit', 'sequelize', 'umzug', 'zod', '@asteasolutions/zod-to-openapi'],
  ...['node-av', '@opencvjs/node', 'vitest', 'undeclared'],
];
const DEVELOPMENT_PACKAGES = ['vitest'];

/** Imports of one file; a plain entry is a value import, `type:` one of a type only. */
type Tree = Record<string, string[]>;

const OBEDIENT_TREE: Tree = {
  'src/main.ts': ['./composition/container.js'],
  'src/composition/container.ts': [
    ...[
      '../modules/video/video.service.js',
      '../modules/video/video.repository.js',
      '../modules/credit/credit.service.js',
    ],
    ...['../modules/video/video.queries.js', '../runners/embedded/engine.js', '../platform/media/decoder-process.js'],
    '../platform/database/model-registry.js',
    ...['../http/server.js', '../cli/main.js', './http.js', '../contract/openapi.js', '../sdk/client.js'],
  ],
  'src/composition/http.ts': ['express', '../modules/video/video.router.js'],
  'src/http/server.ts': ['express', 'express-rate-limit'],
  'src/contract/video.contract.ts': ['zod'],
  'src/contract/openapi.ts': ['zod', '@asteasolutions/zod-to-openapi', './video.contract.js'],
  'src/sdk/client.ts': ['../contract/video.contract.js'],
  'src/cli/main.ts': ['../sdk/client.js'],
  'src/modules/video/video.router.ts': ['express', './video.controller.js', '../../contract/video.contract.js'],
  'src/modules/video/video.controller.ts': [
    ...['express', 'type:./video.service.js', 'type:./video.queries.js', './video.presenter.js', './video.domain.js'],
  ],
  'src/modules/video/video.presenter.ts': ['./video.domain.js', 'type:../../contract/video.contract.js'],
  'src/modules/video/video.service.ts': [
    ...['type:./video.repository.js', './video.domain.js', 'type:../credit/credit.service.js'],
  ],
  'src/modules/video/video.repository.ts': ['./video.dao.js', '../credit/credit.dao.js', './video.domain.js'],
  'src/modules/video/video.queries.ts': ['sequelize', './video.model.js'],
  'src/modules/video/video.dao.ts': ['sequelize', './video.model.js', './video.domain.js'],
  'src/modules/video/video.model.ts': ['sequelize', './video.domain.js', '../../platform/database/connect.js'],
  'src/modules/video/video.domain.ts': [],
  'src/modules/video/video.domain.test.ts': ['vitest', './video.domain.js', '../../../tests/support/world.js'],
  'src/modules/credit/credit.service.ts': ['../video/video.domain.js'],
  'src/modules/credit/credit.dao.ts': ['./credit.model.js'],
  'src/modules/credit/credit.model.ts': ['sequelize', '../video/video.model.js'],
  'src/platform/database/connect.ts': ['sequelize', 'umzug'],
  'src/platform/database/model-registry.ts': ['../../modules/video/video.model.js'],
  'src/platform/media/decoder-process.ts': ['node-av'],
  'src/runners/embedded/engine.ts': ['@opencvjs/node'],
  'tests/support/world.ts': ['vitest'],
};

/** What each rule has to find: the file, and the import that is one too many there. */
const VIOLATIONS: [rule: string, file: string, ...imports: string[]][] = [
  ['layer-router', 'src/modules/video/video.router.ts', './video.service.js'],
  ['layer-controller', 'src/modules/video/video.controller.ts', './video.repository.js'],
  ['layer-controller', 'src/modules/video/video.controller.ts', 'type:./video.dao.js'],
  ['layer-presenter', 'src/modules/video/video.presenter.ts', './video.model.js'],
  ['layer-service', 'src/modules/video/video.service.ts', './video.dao.js'],
  ['layer-service', 'src/modules/video/video.service.ts', './video.controller.js'],
  ['layer-repository', 'src/modules/video/video.repository.ts', './video.model.js'],
  ['layer-repository', 'src/modules/video/video.repository.ts', 'type:./video.service.js'],
  ['layer-queries', 'src/modules/video/video.queries.ts', './video.service.js'],
  ['layer-dao', 'src/modules/video/video.dao.ts', './video.repository.js'],
  ['layer-model', 'src/modules/video/video.model.ts', './video.dao.js'],
  ['layer-domain', 'src/modules/video/video.domain.ts', './video.model.js'],
  ['no-circular', 'src/contract/video.contract.ts', './openapi.js'],
  ['no-orphans', 'src/platform/forgotten.ts'],
  ['not-to-unresolvable', 'src/http/server.ts', './not-there.js'],
  ['not-to-undeclared', 'src/http/server.ts', 'undeclared'],
  ['not-to-dev-dependency', 'src/http/server.ts', 'vitest'],
  ['not-to-tests', 'src/http/server.ts', '../../tests/support/world.js'],
  ['not-to-tests', 'src/http/server.ts', '../modules/video/video.domain.test.js'],
  ['modules-meet-in-composition', 'src/modules/video/video.service.ts', '../credit/credit.service.js'],
  ['modules-meet-in-composition', 'src/modules/credit/credit.service.ts', '../video/video.service.js'],
  ['foreign-dao-in-repositories-only', 'src/modules/video/video.dao.ts', '../credit/credit.dao.js'],
  ['modules-made-in-composition', 'src/http/server.ts', '../modules/video/video.service.js'],
  ['sequelize-in-data-layer', 'src/modules/video/video.repository.ts', 'sequelize'],
  ['sequelize-in-data-layer', 'src/http/server.ts', 'umzug'],
  ['express-at-the-edge', 'src/modules/video/video.service.ts', 'type:express'],
  ['express-at-the-edge', 'src/composition/container.ts', 'express-rate-limit'],
  ['contract-imports-zod-only', 'src/contract/video.contract.ts', 'express'],
  ['contract-imports-zod-only', 'src/contract/video.contract.ts', 'node:fs'],
  ['contract-imports-zod-only', 'src/contract/video.contract.ts', '@asteasolutions/zod-to-openapi'],
  ['openapi-imports-zod-to-openapi', 'src/contract/openapi.ts', '../modules/video/video.domain.js'],
  ['clients-speak-the-contract', 'src/sdk/client.ts', '../modules/video/video.domain.js'],
  ['clients-speak-the-contract', 'src/cli/main.ts', 'type:../modules/video/video.domain.js'],
  ['runners-know-no-feature', 'src/runners/embedded/engine.ts', '../../modules/video/video.domain.js'],
  ['platform-knows-no-feature', 'src/platform/database/connect.ts', '../../modules/credit/credit.service.js'],
  ['model-registry-lists-models', 'src/platform/database/model-registry.ts', '../../modules/video/video.dao.js'],
  ['node-av-in-decoder-process', 'src/runners/embedded/engine.ts', 'node-av'],
  ['opencv-in-embedded-runner', 'src/platform/database/connect.ts', '@opencvjs/node'],
];

describe('D2.15 import boundaries', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'infernode-boundaries-'));
    await cp(path.join(root, 'tsconfig.json'), path.join(folder, 'tsconfig.json'));
    await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest()));
    for (const name of PACKAGES) {
      const place = path.join(folder, 'node_modules', name);
      await mkdir(place, { recursive: true });
      await writeFile(path.join(place, 'package.json'), JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
      await writeFile(path.join(place, 'index.js'), '');
    }
    for (const [file, imports] of Object.entries(OBEDIENT_TREE)) await plant(folder, file, imports);
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('lets a tree pass that keeps every rule', async () => {
    expect(await violations(folder)).toEqual([]);
  });

  it.each(VIOLATIONS)('%s: %s must not import %s', async (rule, file, ...imports) => {
    const before = OBEDIENT_TREE[file] as string[] | undefined;
    await plant(folder, file, [...(before ?? []), ...imports]);
    try {
      const found = (await violations(folder)).filter((violation) => violation.startsWith(`${rule}: `));
      expect(found.some((violation) => violation.includes(file))).toBe(true);
    } finally {
      if (before === undefined) await rm(path.join(folder, file));
      else await plant(folder, file, before);
    }
  });

  it('has a planted violation for every rule there is', () => {
    const planted = new Set(VIOLATIONS.map(([rule]) => rule));
    expect(configuration.forbidden.map(({ name }) => name).filter((name) => !planted.has(name))).toEqual([]);
  });
});

function manifest() {
  const versions = (names: string[]) => Object.fromEntries(names.map((name) => [name, '1.0.0']));
  return {
    name: 'fixture',
    type: 'module',
    dependencies: versions(PACKAGES.filter((name) => name !== 'undeclared' && !DEVELOPMENT_PACKAGES.includes(name))),
    devDependencies: versions(DEVELOPMENT_PACKAGES),
  };
}

async function plant(folder: string, file: string, imports: string[]): Promise<void> {
  const lines = imports.map((target, index) =>
    target.startsWith('type:')
      ? `import type * as part${index} from '${target.slice('type:'.length)}';`
      : `import '${target}';`,
  );
  await mkdir(path.join(folder, path.dirname(file)), { recursive: true });
  await writeFile(path.join(folder, file), `${lines.join('\n')}\nexport const name = '${file}';\n`);
}

async function violations(folder: string): Promise<string[]> {
  const tsConfig = extractTSConfig(path.join(folder, 'tsconfig.json'));
  const { output } = await cruise(
    ['src', 'tests'],
    { ...configuration.options, baseDir: folder, ruleSet: { forbidden: configuration.forbidden }, validate: true },
    {},
    { tsConfig },
  );
  const { summary } = output as ICruiseResult;
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
}
