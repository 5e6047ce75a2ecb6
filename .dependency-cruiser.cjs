/**
 * Who may import whom. The rules are the architecture of docs/ARCHITECTURE.md in a form that fails;
 * tests/tooling/boundaries.test.ts plants a violation of each and expects it to be found.
 *
 * Type-only imports count like others, except where a rule says otherwise: what a module knows of another is coupling,
 * whether or not it is still there at run time.
 */
const TESTS = '(\\.test\\.ts$|^tests/|^benchmarks/)';
const LAYERS = ['router', 'controller', 'presenter', 'service', 'repository', 'queries', 'dao', 'model', 'domain'];

/** What each layer of a feature folder may import of the other layers. */
const MAY_IMPORT = {
  router: ['controller'],
  controller: ['service', 'queries', 'presenter', 'domain'],
  presenter: ['domain'],
  service: ['repository', 'domain', 'service', 'queries'],
  repository: ['dao', 'domain'],
  queries: ['dao', 'model', 'domain'],
  dao: ['model', 'domain', 'dao'],
  model: ['domain', 'model'],
  domain: ['domain'],
};

const layer = (...names) => `^src/modules/.+\\.(${names.join('|')})\\.ts$`;
const MODEL_REGISTRY = '^src/platform/database/model-registry\\.ts$';
const npm = (...names) => `(^|/)node_modules/(@types/)?(${names.join('|')})/`;

const layerRules = LAYERS.map((name) => ({
  name: `layer-${name}`,
  comment: `router -> controller -> service -> repository -> dao -> model: a ${name} may import of the layers only ${MAY_IMPORT[name].join(', ')}.`,
  severity: 'error',
  from: { path: layer(name) },
  to: { path: layer(...LAYERS.filter((other) => !MAY_IMPORT[name].includes(other))) },
}));

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'no-circular',
      comment: 'A circle cannot be understood, tested or started in parts.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'Nobody imports it and it imports nobody: dead, or wired up nowhere.',
      severity: 'error',
      from: { orphan: true, path: '^src/', pathNot: ['\\.d\\.ts$', '^src/main\\.ts$', TESTS] },
      to: {},
    },
    {
      name: 'not-to-unresolvable',
      comment: 'The file or package is not there.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-to-undeclared',
      comment: 'The package is in node_modules by luck only: name it in package.json.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'not-to-dev-dependency',
      comment:
        'An installation without development tools would not start. The configuration of sequelize-cli takes the build ' +
        'where there is one, and tsx only in a checkout that has none.',
      severity: 'error',
      from: { path: '^src/', pathNot: [TESTS, '^src/platform/database/cli-config\\.cjs$'] },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'], pathNot: 'node_modules/@types/' },
    },
    {
      name: 'not-to-tests',
      comment: 'What users run does not depend on what tests need.',
      severity: 'error',
      from: { path: '^src/', pathNot: TESTS },
      to: { path: TESTS },
    },
    {
      name: 'modules-meet-in-composition',
      comment:
        'A feature may know the type of another feature’s part, never make or hold one: src/composition hands it over. ' +
        'Pure domain code and presenters are free, models refer to each other, and a repository that owns a transaction takes other DAOs.',
      severity: 'error',
      from: { path: '^src/modules/([^/]+)/', pathNot: TESTS },
      to: {
        path: '^src/modules/',
        pathNot: ['^src/modules/$1/', '\\.(domain|errors|presenter|dao|model)\\.ts$'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'foreign-dao-in-repositories-only',
      comment: 'Another feature’s table is written inside a transaction that a repository owns, or read by queries.',
      severity: 'error',
      from: { path: '^src/modules/([^/]+)/', pathNot: ['\\.(repository|queries|model)\\.ts$', TESTS] },
      to: {
        path: '^src/modules/.+\\.(dao|model)\\.ts$',
        pathNot: '^src/modules/$1/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'modules-made-in-composition',
      comment: 'Only src/composition makes the parts of a feature; processes take what it made.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(composition|modules)/', MODEL_REGISTRY, TESTS] },
      to: {
        path: layer('router', 'controller', 'service', 'repository', 'queries', 'dao', 'model'),
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'sequelize-in-data-layer',
      comment:
        'SQL ends at the DAO: only *.dao.ts, *.queries.ts, *.model.ts and src/platform/database know the mapper.',
      severity: 'error',
      from: {
        path: '^(src|scripts)/',
        pathNot: ['^src/modules/.+\\.(dao|queries|model)\\.ts$', '^src/platform/database/', TESTS],
      },
      to: { path: npm('sequelize', 'sequelize-cli', 'umzug') },
    },
    {
      name: 'express-at-the-edge',
      comment: 'HTTP ends at the controller: services are called by workers and the command line as well.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [
          '^src/http/',
          '^src/modules/.+\\.(router|controller)\\.ts$',
          '^src/composition/http(\\.ts$|/)',
          TESTS,
        ],
      },
      to: { path: npm('express', 'express-rate-limit', 'helmet', 'multer', 'swagger-ui-express') },
    },
    {
      name: 'contract-imports-zod-only',
      comment: 'Server, SDK, command line and web share the contract, so it brings nothing along.',
      severity: 'error',
      from: { path: '^src/contract/', pathNot: ['^src/contract/openapi\\.ts$', TESTS] },
      to: { pathNot: ['^src/contract/', npm('zod')] },
    },
    {
      name: 'openapi-imports-zod-to-openapi',
      comment: 'The one file of the contract that knows the generator, and nothing beyond it.',
      severity: 'error',
      from: { path: '^src/contract/openapi\\.ts$' },
      to: { pathNot: ['^src/contract/', npm('zod', '@asteasolutions/zod-to-openapi')] },
    },
    {
      name: 'clients-speak-the-contract',
      comment: 'Command line, SDK and web are users of the API; what they need belongs in src/contract.',
      severity: 'error',
      from: { path: '^src/(cli|sdk|web)/', pathNot: TESTS },
      to: { path: '^src/modules/' },
    },
    {
      name: 'runners-know-no-feature',
      comment: 'An engine is given files and parameters; rows, money and owners are not its concern.',
      severity: 'error',
      from: { path: '^src/runners/' },
      to: { path: '^src/(modules|composition|http|processes)/' },
    },
    {
      name: 'platform-knows-no-feature',
      comment: 'What all features stand on cannot lean on one of them.',
      severity: 'error',
      from: { path: '^src/platform/', pathNot: [MODEL_REGISTRY, TESTS] },
      to: { path: '^src/(modules|composition|http|processes|workers|realtime|runners)/' },
    },
    {
      name: 'model-registry-lists-models',
      comment: 'The one list of all tables, and of nothing but tables.',
      severity: 'error',
      from: { path: MODEL_REGISTRY },
      to: { path: '^src/(modules|composition|http|processes|workers|realtime|runners)/', pathNot: layer('model') },
    },
    {
      name: 'node-av-in-decoder-process',
      comment: 'The GPLv3 binary runs in a process of its own (ADR 0010): nothing else may load it.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/platform/media/decoder-process(/|\\.ts$)', TESTS] },
      to: { path: npm('node-av') },
    },
    {
      name: 'opencv-in-embedded-runner',
      comment: 'Ten megabytes of WebAssembly that only the embedded engine pays for.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/runners/embedded/', TESTS] },
      to: { path: npm('@opencvjs/node') },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['\\.as\\.ts$', '^dist/', '^tests/fixtures/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types', 'typings'],
    },
  },
};
