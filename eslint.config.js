/**
 * The rules of the code style that a tool can hold. Each relaxation of `strictTypeChecked` says why
 * it is one.
 */
import tseslint from 'typescript-eslint';

/** Patterns that no plain rule covers; in every TypeScript file. */
const everywhere = [
  {
    selector: 'TSEnumDeclaration',
    message: 'No enum: write an `as const` object and the union of its values.',
  },
];

/** In addition, in `src`. */
const inSources = [
  {
    selector: 'ExportDefaultDeclaration',
    message: 'Named exports only.',
  },
  {
    selector: ':function > Identifier.params[typeAnnotation.typeAnnotation.type="TSBooleanKeyword"]',
    message: 'No boolean parameters: take an option with a name, or make two functions.',
  },
];

const oneErrorClass = [
  {
    selector:
      'ClassDeclaration[superClass.name="JobError"], ClassDeclaration[superClass.name="Error"][id.name!="JobError"]',
    message: 'JobError is the one error class; add a code in src/errors/.',
  },
];

/**
 * postgres.js ends the process when a backend dies inside a transaction, so run time uses single
 * statements.
 */
const noTransactions = [
  {
    selector: 'CallExpression[callee.property.name=/^(begin|transaction|reserve)$/]',
    message:
      'One statement (CTEs) instead: postgres.js takes the process down when a backend dies inside a transaction.',
  },
];

const noEnvironment = [
  {
    selector: 'MemberExpression[object.name="process"][property.name="env"]',
    message: 'Only src/config/environment.ts reads the environment.',
  },
  {
    selector: 'VariableDeclarator[init.name="process"] Property[key.name="env"]',
    message: 'Only src/config/environment.ts reads the environment.',
  },
];

/** How destinations are named; a unit test compares the list with the registry. */
export const destinationWords = [
  ...['parameter-store', 'secrets-manager', 'json-secret'],
  ...['aws-parameter-store', 'aws-secrets-manager', 'ssm', 'secretsmanager', 'one-to-one', 'many-to-one'],
];
const word = `Literal[value=/^(${destinationWords.join('|')})$/]`;
const readTheRegistry =
  'No branch on a destination here: read what you need from its record (src/domain/destinations/registry.ts).';

/** What a destination is, and does, stands in its own record and folder. */
export const noDestinationBranches = [
  `BinaryExpression > ${word}`,
  `SwitchCase > ${word}`,
  `Property[computed=false] > ${word}.key`,
  `CallExpression[callee.property.name=/^(includes|has|startsWith)$/] > ${word}`,
  'MemberExpression[property.name="mappingBehavior"]',
  'BinaryExpression[operator="in"] > Literal[value=/^(path|prefix|secretName|mappingBehavior)$/]',
].map((selector) => ({ selector, message: readTheRegistry }));

const restrict = (...groups) => ['error', ...groups.flat()];

export default tseslint.config(
  { ignores: ['dist/', '.cache/', '.keyferry/', 'coverage/', 'src/db/migrations/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'max-depth': ['error', 3],
      'max-params': 'off',
      '@typescript-eslint/max-params': ['error', { max: 3 }],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'], location: 'start' }],
      'no-restricted-syntax': restrict(everywhere),
      eqeqeq: 'error',
      'prefer-const': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      // Numbers and booleans in a message read well; objects and undefined stay refused.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // `() => void something()` is the shortest honest way to drop a result.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Ports and handlers are async by their type, whatever one implementation needs.
      '@typescript-eslint/require-await': 'off',
      // Ports and stores are plain records of functions; none of ours uses `this`.
      '@typescript-eslint/unbound-method': 'off',
      // A name that starts with an underscore says that it is there for its position only.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // The names that `import type` and drizzle's tables give are wanted as they are,
      // `while (true)` is a loop with its exit inside.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 300, skipBlankLines: false, skipComments: false }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
      'no-restricted-syntax': restrict(
        ...[everywhere, inSources, oneErrorClass, noTransactions, noEnvironment, noDestinationBranches],
      ),
    },
  },
  {
    // Here destinations are told apart: their records, their ways to read and write, and the calls
    // to AWS.
    files: ['src/domain/destinations/**/*.ts', 'src/workers/sync/destinations/**/*.ts', 'src/aws/**/*.ts'],
    rules: { 'no-restricted-syntax': restrict(everywhere, inSources, oneErrorClass, noTransactions, noEnvironment) },
  },
  {
    files: ['src/db/migrate.ts'],
    rules: { 'no-restricted-syntax': restrict(everywhere, inSources, oneErrorClass, noEnvironment) },
  },
  {
    // The AWS sandbox stands for a server: its errors are answers of AWS, not keyferry's.
    files: ['src/sandbox/**/*.ts'],
    rules: { 'no-restricted-syntax': restrict(everywhere, inSources, noTransactions, noEnvironment) },
  },
  {
    files: ['src/config/environment.ts', 'src/cli/bin.ts'],
    rules: { 'no-restricted-syntax': restrict(everywhere, inSources, oneErrorClass, noTransactions) },
  },
  {
    files: ['src/sandbox/environment.ts'],
    rules: { 'no-restricted-syntax': restrict(everywhere, inSources, noTransactions) },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'examples/**/*.ts', '*.config.ts'],
    rules: {
      // A test that plants a wrong value must be able to say so, and may assert what it has just
      // checked.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      'max-lines-per-function': 'off',
      // The rows of a table of cases are read by position.
      'max-params': 'off',
      '@typescript-eslint/max-params': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: { ecmaVersion: 2023 },
    rules: {
      'max-depth': ['error', 3],
      'max-params': ['error', 3],
      'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'], location: 'start' }],
      eqeqeq: 'error',
      'prefer-const': 'error',
      'no-unused-vars': 'error',
    },
  },
);
