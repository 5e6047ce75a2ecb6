import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const FOCUSED_TESTS = ['it', 'test', 'describe'].flatMap((object) =>
  ['skip', 'only', 'todo'].map((property) => ({ object, property, message: 'A test runs, or it is not there.' })),
);

export default defineConfig(
  globalIgnores(['dist', 'data', 'coverage', 'public', 'quickstart-results', 'tests/fixtures', '**/*.as.ts']),
  {
    // No way round a rule from within a file: what a rule gets wrong is tuned here, for everybody.
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' },
  },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-control-regex': 'off', // control characters are what input checks look for
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Without noUncheckedIndexedAccess the rule calls the very check needed that an element of an array is there.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // Parts and contexts are taken apart by destructuring; what is handed over so is made of closures.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      // `signal.reason` is passed on as it is, and its type is not known.
      '@typescript-eslint/prefer-promise-reject-errors': [
        'error',
        { allowThrowingUnknown: true, allowThrowingAny: true },
      ],
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true, allowThrowingAny: true }],
      '@typescript-eslint/unified-signatures': 'off', // overloads are told apart for their docstrings
      '@typescript-eslint/require-await': 'off', // a port is async also where one implementation need not wait
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      // Without noUncheckedIndexedAccess the rule takes every array element for present.
      '@typescript-eslint/no-useless-default-assignment': 'off',
      // Libraries declare classes and hand out what merely has their shape (winston's transports).
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
    },
  },
  {
    // Index arithmetic on typed arrays: the bounds are the loop's, and a check per pixel would be noise.
    files: ['src/runners/embedded/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
    },
  },
  {
    // Programs that talk to the terminal.
    files: ['src/cli/**', 'src/main.ts', 'scripts/**', 'benchmarks/**', '.ci/**'],
    rules: { 'no-console': 'off' },
  },
  {
    // Tests read untyped answers and assert on them at once; the assertion is the check.
    files: ['**/*.test.ts', 'tests/**', 'benchmarks/**'],
    rules: {
      'no-restricted-properties': ['error', ...FOCUSED_TESTS],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: globals.node },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', globals: globals.commonjs },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
);
