/**
 * A newcomer who reads the README and the pages, and pastes every command as it stands into a shell
 * beside `keyferry up --sandbox`. What a page shows as output must be what is printed. A block that
 * cannot be run here is listed with the test that runs it.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { cleanEnvironment } from '../../support/environment.ts';
import { runProcess, startUnboundKeyferry, type TestProcess } from '../../support/processes.ts';
import { installPackage } from '../support/package.ts';
import { isCommands, readBlocks, type Block } from './markdown.ts';
import { differences, missingLines, parseShown } from './shown.ts';

const PAGES = [
  ...['README.md', 'docs/syncs.md', 'docs/rotation.md', 'docs/aws-connection.md', 'docs/api.md', 'docs/sandbox.md'],
  ...['docs/sources.md', 'docs/events.md', 'docs/infisical.md', 'docs/operations.md', 'docs/configuration.md'],
  ...['docs/backup-and-restore.md', 'docs/deployment.md', 'docs/upgrading.md'],
];

/** Blocks by a text in them, each with where it is run instead. */
const RUN_ELSEWHERE: readonly (readonly [page: string, text: string, where: string])[] = [
  ['README.md', 'git clone', 'the workflow: it clones, installs and runs both'],
  ['README.md', 'keyferry migrate && keyferry worker', 'test/e2e/support/installation.ts, on PostgreSQL and Redis'],
  ['docs/api.md', 'auth/oidc-auth/login', 'test/clients/jwt-login.test.ts: it needs an issuer'],
  ['docs/sources.md', '--kind infisical', 'test/integration/sources: it reads another host'],
  ['docs/sources.md', '--kind http', 'test/integration/sources: it reads another host'],
  ['docs/sources.md', '--notify-secret-file', 'test/integration/sources: it reads another host'],
  [
    'docs/configuration.md',
    'KEYFERRY_KMS_KEY_ARN=',
    'test/processes/kms/moving.test.ts, with the key of a sandbox of its own',
  ],
  ['docs/syncs.md', '--replica-region', 'test/processes/cli/replica-keys.test.ts: it needs a KMS key in each region'],
  ['docs/events.md', 'keyferry webhook create', 'test/processes/cli/webhook.test.ts: it posts to another host'],
  ['docs/infisical.md', 'keyferry rotation delete shop-deployer', 'test/e2e/moving-over.test.ts: it moves both ways'],
  ['docs/operations.md', 'keyferry policy servers', 'test/integration/servers: it needs an administrator'],
  ['docs/configuration.md', 'export DATABASE_URL', 'test/processes/cli/settings.test.ts'],
  [
    'docs/backup-and-restore.md',
    '--accept-destination',
    'test/e2e/restore-drill.test.ts: it needs a restored database',
  ],
  ['docs/backup-and-restore.md', 'keyferry rotation show', 'test/e2e/restore-drill.test.ts: after a failover'],
  ['docs/backup-and-restore.md', 'pg_dump', 'test/e2e/restore-drill.test.ts'],
  ['docs/deployment.md', 'kubectl apply', 'test/unit/project/deployment.test.ts: it needs a cluster'],
];

/** Seconds when the machine is quiet. */
const LIMIT_MS = 240_000;
const place = '--project shop --env prod --path /api';
const walked: Block[] = [];
let directory: string;
let up: TestProcess;
let program: string;
let serverUrl: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keyferry-newcomer-'));
  up = startUnboundKeyferry(['up', '--sandbox', '--port', '0'], { environment: cleanEnvironment(), directory });
  [program] = await Promise.all([installPackage(directory), up.waitForLine(/npx keyferry status/, 90_000)]);
  serverUrl = /status page +(\S+)/.exec(up.stdout())?.[1] ?? '';
  await writeFile(join(directory, '.env'), 'DB_HOST=db.internal\nDB_USER=shop\n');
}, LIMIT_MS);

afterAll(async () => {
  up.signal('SIGTERM');
  await up.waitForExit(30_000).finally(() => up.kill());
  await rm(directory, { recursive: true, force: true });
}, 40_000);

/**
 * A shell in which `keyferry` is the package; the first failing command ends it. The commands of a
 * page act for an org of its own, so that pages may use the same names.
 */
async function paste(commands: string, { org = 'default', input = '' } = {}): Promise<string> {
  const script = `set -e -o pipefail
keyferry() {
  case "$1 $2" in
    keys*|policy*|migrate*|doctor*|restore*) set -- "$@" ;;
    *) set -- "$@" --org ${org} ;;
  esac
  "${process.execPath}" "${program}" "$@"
}
npx() { "$@"; }
${commands}`;
  const exit = await runProcess('bash', { arguments: ['-c', script], directory, input }, LIMIT_MS);
  expect(exit.code, `${commands}\n${exit.stdout}${exit.stderr}`).toBe(0);
  return exit.stdout;
}

/** The command block that holds the text, and the block after it, which may show what it prints. */
async function findBlock(page: string, text: string): Promise<{ block: Block; next: Block | undefined }> {
  const blocks = await readBlocks(page);
  const at = blocks.findIndex((one) => isCommands(one) && one.text.includes(text));
  const block = blocks[at];
  if (block === undefined) throw new Error(`${page} has no commands with ${text}.`);
  walked.push(block);
  return { block, next: blocks[at + 1] };
}

/** A folder, and a connection to an account of its own, for a page that begins with them. */
function prepare(org: string, account: string): Promise<string> {
  return paste(
    `keyferry sandbox create role keyferry --account ${account}
keyferry connection create --name prod --method assume-role --role-arn arn:aws:iam::${account}:role/keyferry
keyferry secrets set ${place} < .env`,
    { org },
  );
}

describe('README.md', () => {
  it(
    'follows the commands that `up` prints',
    async () => {
      const printed = up.stdout().split('\n');
      await paste(printed.filter((line) => line.includes('npx keyferry ')).join('\n'));
    },
    LIMIT_MS,
  );

  it(
    'leads to a sync and a rotation',
    async () => {
      const { block } = await findBlock('README.md', 'keyferry rotation create');
      const printed = await paste(block.text);
      expect(printed).toMatch(/^api +aws-parameter-store +succeeded/m);
      expect(printed).toMatch(/^deployer +shop-deployer/m);
    },
    LIMIT_MS,
  );

  it(
    'shows how an application uses the library',
    async () => {
      const snippet = (await readBlocks('README.md')).find(({ text }) => text.includes("from 'keyferry'"));
      await writeFile(
        join(directory, 'application.mjs'),
        `${snippet?.text ?? ''}\nconsole.log(run.status, run.counts);\nawait keyferry.close();`,
      );
      const printed = await paste(`"${process.execPath}" application.mjs`);
      expect(printed).toMatch(/^succeeded \{/);
    },
    LIMIT_MS,
  );
});

describe('the package', () => {
  it(
    'names the lines of the sources in stack traces, and holds these lines',
    async () => {
      const failing = `import { connect } from 'keyferry';
await connect({ databaseUrl: 'nothing', encryptionKeys: '' }).catch((error) => console.log(error.stack));`;
      await writeFile(join(directory, 'failing.mjs'), failing);
      const stack = await paste(`"${process.execPath}" --enable-source-maps failing.mjs`);
      const [, file = '', line = '0'] = /\((?:file:\/\/)?(\/.*\/src\/config\/[\w-]+\.ts):(\d+):\d+\)/.exec(stack) ?? [];
      expect((await readFile(file, 'utf8')).split('\n')[Number(line) - 1]).toMatch(/JobError|loadConfig/);
      const map = await readFile(join(directory, 'node_modules/keyferry/dist/config/config.js.map'), 'utf8');
      const { sourcesContent } = JSON.parse(map) as { sourcesContent: string[] };
      expect(sourcesContent[0]).toContain('export function loadConfig');
    },
    LIMIT_MS,
  );
});

describe('the pages', () => {
  it(
    'docs/syncs.md: plans and runs a sync, and names both other destinations',
    async () => {
      const org = 'syncs';
      await prepare(org, '555500001111');
      const { block, next } = await findBlock('docs/syncs.md', 'keyferry sync plan api');
      const printed = await paste(block.text, { org });
      expect(missingLines(next?.text ?? '', printed)).toEqual([]);
      const others = await findBlock('docs/syncs.md', '--mapping many-to-one');
      let count = 0;
      const filled = others.block.text.replace(
        /…/g,
        () => `--name other-${String((count += 1))} --connection prod ${place}`,
      );
      await paste(filled, { org });
    },
    LIMIT_MS,
  );

  it(
    'docs/rotation.md: rotates a key',
    async () => {
      const org = 'rotation';
      await paste('keyferry sandbox create user ci --account 555500002222', { org });
      await prepare(org, '555500002222');
      const { block } = await findBlock('docs/rotation.md', 'keyferry rotation create');
      expect(await paste(block.text, { org })).toMatch(/active key +AKIA/);
    },
    LIMIT_MS,
  );

  it(
    'docs/aws-connection.md: connects by access key',
    async () => {
      const { block } = await findBlock('docs/aws-connection.md', '--method access-key');
      const [, id = '', file = ''] = /access key +(AKIA\w+) +\(its secret: (.+)\)/.exec(up.stdout()) ?? [];
      const input = await readFile(file, 'utf8');
      await paste(block.text.replace('AKIA…', id), { org: 'keys', input });
    },
    LIMIT_MS,
  );

  it(
    'docs/sandbox.md: makes roles and users',
    async () => {
      const { block } = await findBlock('docs/sandbox.md', 'keyferry sandbox create role');
      // The first line starts a sandbox of its own, until stopped.
      await paste(block.text.replace(/^keyferry sandbox +#.*$/m, ''));
    },
    LIMIT_MS,
  );

  it.each([
    ['docs/infisical.md', 'keyferry identity create'],
    ['docs/backup-and-restore.md', 'keyferry restore status'],
    ['docs/upgrading.md', 'keyferry migrate --plan'],
    ['docs/operations.md', 'keyferry doctor'],
  ])(
    '%s: %s',
    async (page, text) => {
      const { block } = await findBlock(page, text);
      // These run until they are stopped, or need a plan that a person has read.
      const commands = block.text.replace(/^keyferry (?:worker|server|restore accept) .*$/gm, '');
      await paste(commands, { org: 'pages' });
    },
    LIMIT_MS,
  );
});

describe('docs/api.md', () => {
  const fill = (block: Block) => block.text.replaceAll('http://127.0.0.1:3010', serverUrl);

  it(
    'creates an identity and logs it in',
    async () => {
      const { block, next } = await findBlock('docs/api.md', 'universal-auth/login');
      const [create = '', ...login] = fill(block)
        // The page's date passes one day.
        .replace(/--expires \S+/, `--expires ${new Date(Date.now() + 86_400_000 * 90).toISOString().slice(0, 10)}`)
        .split('\n');
      const created = await paste(create);
      const [, id = ''] = /client id +(\S+)/.exec(created) ?? [];
      const [, secret = ''] = /client secret +(\S+)/.exec(created) ?? [];
      const answer = await paste(login.join('\n').replace('"…"', `"${id}"`).replace('kfs_…', secret));
      expect(differences(parseShown(next?.text ?? ''), JSON.parse(answer))).toEqual([]);
    },
    LIMIT_MS,
  );

  it('makes a token and its hash', async () => {
    const { block } = await findBlock('docs/api.md', 'openssl rand');
    expect(await paste(block.text)).toMatch(/^[0-9a-f]{64} /);
  });

  it(
    'creates a connection, and runs a sync',
    async () => {
      const { block, next } = await findBlock('docs/api.md', '"method": "assume-role"');
      const token = 'token=$(cat .keyferry/api-token)\n';
      const answer = await paste(token + fill(block));
      expect(differences(parseShown(next?.text ?? ''), JSON.parse(answer))).toEqual([]);
      const { block: running } = await findBlock('docs/api.md', 'sync-secrets');
      const sync = `sync=$(keyferry sync show api --json | sed -n '/^  "id"/s/.*: "\\(.*\\)",/\\1/p')\n`;
      const ran = JSON.parse(await paste(token + sync + fill(running))) as { run: { status: string } };
      expect(ran.run.status).toBe('succeeded');
    },
    LIMIT_MS,
  );
});

describe('every page', () => {
  it('has no commands that nobody runs', async () => {
    const blocks = (await Promise.all(PAGES.map(readBlocks))).flat().filter(isCommands);
    const isRun = ({ page, text }: Block) => walked.some((one) => one.page === page && one.text === text);
    const isElsewhere = ({ page, text }: Block) =>
      RUN_ELSEWHERE.some(([of, part]) => of === page && text.includes(part));
    expect(blocks.filter((one) => !isRun(one) && !isElsewhere(one))).toEqual([]);
    expect(blocks.filter((one) => isRun(one) && isElsewhere(one))).toEqual([]);
    expect(
      RUN_ELSEWHERE.filter(([page, part]) => !blocks.some((one) => one.page === page && one.text.includes(part))),
    ).toEqual([]);
  });

  it('about using keyferry is walked', async () => {
    const docs = (await readdir(new URL('../../../docs/', import.meta.url))).filter((name) => name.endsWith('.md'));
    const others = docs.map((name) => `docs/${name}`).filter((name) => !PAGES.includes(name));
    const withCommands = (await Promise.all(others.map(readBlocks))).flat().filter(isCommands);
    // For those who change keyferry.
    expect([...new Set(withCommands.map(({ page }) => page))]).toEqual(['docs/development.md']);
  });
});
