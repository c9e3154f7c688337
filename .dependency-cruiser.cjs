/**
 * The rooms and the arrows between them (ARCHITECTURE.md):
 * `cli → main → workers, server → queues → domain`; `aws` and `db` stand beside one another and are
 * handed in by `main`.
 */
const room = (name) => `^src/${name}/`;
const typesAllowed = { dependencyTypesNot: ['type-only'] };

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'domain-is-pure',
      comment: 'domain, errors and log import nothing above them; domain may use errors and pure libraries.',
      severity: 'error',
      from: { path: room('domain') },
      to: { path: '^src/', pathNot: ['^src/domain/', '^src/errors\\.ts$'] },
    },
    {
      name: 'domain-does-no-io',
      comment: 'No I/O, clock or randomness inside.',
      severity: 'error',
      from: { path: room('domain') },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(util|url|buffer|assert)$' },
    },
    {
      name: 'errors-log-and-trace-are-at-the-bottom',
      severity: 'error',
      from: { path: '^src/(errors(\\.ts$|/)|observe/(log|trace)\\.ts$)' },
      to: { path: '^src/', pathNot: '^src/(errors|domain/)' },
    },
    {
      name: 'error-codes-have-one-registry',
      comment: 'errors.ts puts the codes of errors/ together; everybody else reads them there.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/errors(\\.ts$|/)' },
      to: { path: '^src/errors/' },
    },
    {
      name: 'config-is-at-the-bottom',
      severity: 'error',
      from: { path: room('config') },
      to: { path: '^src/', pathNot: '^src/(errors|observe/log|config/|domain/)' },
    },
    {
      name: 'queues-know-only-domain',
      severity: 'error',
      from: { path: room('queues') },
      to: { path: '^src/(workers|server|cli|sandbox|aws|db|main|index|config)' },
    },
    {
      name: 'workers-and-server-know-no-upper-room',
      severity: 'error',
      from: { path: '^src/(workers|server)/' },
      to: { path: '^src/(cli/|sandbox/|main|index|config)' },
    },
    {
      name: 'workers-and-server-stand-apart',
      severity: 'error',
      from: { path: '^src/(workers|server)/([^/]+)' },
      to: { path: '^src/(workers|server)/', pathNot: '^src/$1/' },
    },
    {
      name: 'a-round-knows-no-kind-of-destination',
      comment: 'Only open.ts goes from a kind to its folder; the facts of a kind are read from its record in domain.',
      severity: 'error',
      from: { path: '^src/workers/', pathNot: '^src/workers/sync/destinations/' },
      to: { path: '^src/workers/sync/destinations/[^/]+/' },
    },
    {
      name: 'a-face-knows-no-kind-of-destination',
      comment: 'It reads the registry.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(domain/destinations|workers/sync/destinations)/' },
      to: { path: '^src/domain/destinations/(?!destination|names|registry)' },
    },
    {
      name: 'aws-and-db-are-handed-in',
      comment: 'workers, server and index take them as types only.',
      severity: 'error',
      from: { path: '^src/(workers/|server/|index\\.ts$)' },
      to: { path: '^src/(aws|db)/', ...typesAllowed },
    },
    {
      name: 'aws-and-db-never-meet',
      comment: 'Ports between them are types in domain.',
      severity: 'error',
      from: { path: '^src/(aws|db)/' },
      to: { path: '^src/(aws|db)/', pathNot: '^src/$1/' },
    },
    {
      name: 'aws-and-db-know-only-domain',
      severity: 'error',
      from: { path: '^src/(aws|db)/' },
      to: { path: '^src/(queues|workers|server|cli|sandbox|main|index|config)' },
    },
    {
      name: 'only-cli-composes',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/cli/', '^src/main\\.ts$'] },
      to: { path: '^src/main\\.ts$' },
    },
    {
      name: 'nothing-imports-cli',
      severity: 'error',
      from: { path: '^src/', pathNot: room('cli') },
      to: { path: room('cli') },
    },
    {
      name: 'cli-is-thin',
      comment:
        'It composes, calls the client and prints. It opens stores and the queue only where a command needs no program.',
      severity: 'error',
      from: { path: room('cli') },
      to: { path: '^src/(aws|workers|server)/', dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'client-calls-no-aws-and-knows-no-queue',
      severity: 'error',
      from: { path: room('client') },
      to: { path: '^src/', pathNot: '^src/(client/|db/|domain/|errors\\.ts$)' },
    },
    {
      name: 'client-is-handed-its-stores',
      severity: 'error',
      from: { path: room('client') },
      to: { path: room('db'), ...typesAllowed },
    },
    {
      name: 'only-cli-loads-the-sandbox',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/cli/', '^src/sandbox/'] },
      to: { path: room('sandbox') },
    },
    {
      name: 'the-sandbox-is-loaded-when-needed',
      comment: 'By `await import(…)`: a worker in production never reads it.',
      severity: 'error',
      from: { path: room('cli') },
      to: { path: room('sandbox'), dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'the-sandbox-stands-alone',
      comment: 'It plays AWS and must not share its client, nor know the database.',
      severity: 'error',
      from: { path: room('sandbox') },
      to: { path: '^src/(aws|db|queues|workers|server|cli|main|index|config)' },
    },
    {
      name: 'the-library-is-light',
      comment: 'Importing keyferry loads no server, board, sandbox or command.',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: { path: '^src/(server|sandbox|cli)/', reachable: true },
    },
    {
      name: 'telemetry-is-loaded-when-asked-for',
      comment: 'By `await import(…)`: a process that sends no traces never reads it.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/observe/telemetry' },
      to: { path: '^src/(observe|queues)/telemetry', dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'opentelemetry-in-telemetry-only',
      comment: 'The API alone stands behind trace.ts; it does nothing without an SDK.',
      severity: 'error',
      from: { path: '^(src|bin)/', pathNot: '^src/((observe|queues)/telemetry|observe/trace)' },
      to: { path: 'node_modules/(@opentelemetry|bullmq-otel)/' },
    },
    {
      name: 'aws-sdk-in-aws-only',
      severity: 'error',
      from: { path: '^(src|bin)/', pathNot: room('aws') },
      to: { path: 'node_modules/(@aws-sdk|@smithy)/' },
    },
    {
      name: 'sql-in-db-only',
      severity: 'error',
      from: { path: '^(src|bin)/', pathNot: room('db') },
      to: { path: 'node_modules/(postgres|drizzle-orm)/' },
    },
    {
      name: 'bullmq-behind-queues',
      comment: 'workers consume it, server shows it.',
      severity: 'error',
      from: { path: '^(src|bin)/', pathNot: '^src/(queues|workers|server)/' },
      to: { path: 'node_modules/(bullmq|ioredis|pg|@bull-board)/' },
    },
    {
      name: 'sources-know-no-tests',
      severity: 'error',
      from: { path: '^(src|bin)/' },
      to: { path: '^(test|bench|scripts|examples)/' },
    },
    {
      name: 'bench-runs-no-tests',
      severity: 'error',
      from: { path: '^bench/' },
      to: { path: '\\.test\\.ts$' },
    },
    {
      name: 'no-development-packages',
      comment: 'bin runs the sources of a checkout through tsx; an installed package never gets there.',
      severity: 'error',
      from: { path: '^(src|bin)/', pathNot: '^bin/keyferry\\.js$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: 'dist/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/', '^\\.cache/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
