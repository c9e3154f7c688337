/**
 * What a person sees who got something wrong: the thing and the remedy by name, the right exit
 * code, and nothing half-written.
 */

import postgres from 'postgres';
import { beforeAll, describe, expect, it } from 'vitest';

import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createEmptyDatabase, useTestDatabase } from '../../support/postgres.ts';
import { runKeyferry } from '../../support/processes.ts';
import { createTemporaryDirectory } from '../../support/temporary-directory.ts';

const place = ['--project', 'shop', '--env', 'prod', '--path', '/api'];
const parameterStore = ['--to', 'parameter-store', '--region', 'eu-west-1', '--prefix', '/shop/'];

describe('a person who gets it wrong', () => {
  const database = useTestDatabase();
  const keys = generateEncryptionKey('first');
  let directory: string;

  beforeAll(async () => {
    directory = await createTemporaryDirectory('cli');
  });

  const keyferry = async (
    line: readonly string[],
    options: { environment?: Record<string, string>; input?: string } = {},
  ) => {
    const environment = cleanEnvironment({
      DATABASE_URL: database().url,
      KEYFERRY_ENCRYPTION_KEYS: keys,
      ...options.environment,
    });
    return runKeyferry(
      line,
      { environment, directory, ...(options.input === undefined ? {} : { input: options.input }) },
      30_000,
    );
  };

  it('is told every wrong setting at once, without the value of a secret one', async () => {
    const environment = {
      DATABASE_URL: 'planted-url',
      KEYFERRY_ENCRYPTION_KEYS: 'planted:key',
      KEYFERRY_HTTP_PORT: 'x',
      INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
    };
    const exit = await keyferry(['worker'], { environment });
    expect(exit.code).toBe(2);
    for (const name of ['DATABASE_URL', 'KEYFERRY_ENCRYPTION_KEYS', 'KEYFERRY_HTTP_PORT', 'set both or neither'])
      expect(exit.stderr).toContain(name);
    expect(exit.stderr).not.toContain('planted');
  });

  it('is told one mistake once, and why a file cannot be read', async () => {
    const create = ['connection', 'create', '--name', 'c', '--method', 'access-key', '--access-key-id'];
    const temporary = await keyferry([...create, 'ASIAEXAMPLEEXAMPLE'], { input: 'planted-secret-key-1' });
    expect([temporary.code, temporary.stderr]).toEqual([2, expect.stringContaining('temporary key')]);
    expect(temporary.stderr).not.toContain('must be the id');
    const set = (file: string) => keyferry(['secrets', 'set', ...place, '--file', file]);
    expect((await set('/nonexistent')).stderr).toContain('/nonexistent cannot be read: there is no such file.');
    expect((await set(directory)).stderr).toContain('cannot be read: it is a folder.');
  });

  it('is told all mistakes at once, also where one decides what the others mean', async () => {
    const folder = ['--connection', 'none', ...place];
    const commands: readonly (readonly [readonly string[], readonly string[]])[] = [
      [
        ['connection', 'create', '--name', '!', '--method', 'methd'],
        ['--name must', '--method must be one of assume-', '--role-arn is missing'],
      ],
      [
        ['connection', 'create', '--method', 'access-key', '--role-arn', 'x', '--region', 'eu-wst-1'],
        ['--name, --access-key-id are missing', '--role-arn has no effect', '--region is not'],
      ],
      [
        ['sync', 'create', '--name', '!', '--to', 'param', '--timeout', 'x'],
        ['--project, --env, --path, --connection are missing', '--to must be one of', '--name must', '--timeout must'],
      ],
      [
        ['rotation', 'create', '--name', '!', ...folder, '--user', 'a/b', '--every', '4000d', '--at', '25:00'],
        [
          '--access-key-id-as, --secret-access-key-as are',
          '--at must',
          '--every must be whole days, at least 1d, at most 3650d',
          '--name must',
          '--user must',
        ],
      ],
      [
        [
          'source',
          'set',
          '--project',
          'p',
          '--env',
          'e',
          '--path',
          'x',
          '--kind',
          'infisical',
          '--no-auth',
          '--every',
          '2s',
        ],
        [
          '--source-project, --source-env, --client-id are missing',
          '--no-auth has no effect',
          '--path must',
          '--every must be at least 1m, at most 1d',
        ],
      ],
      [
        ['sync', 'update', 'api', '--rename', '!', '--drift', 'fix', '--mapping', 'one', '--tag', 'x'],
        ['--rename must', '--drift must be one of', '--mapping must be one of one-to-one, many', '--tag must'],
      ],
      [
        ['sync', 'update', 'api', '--tier', 'advanced', '--recovery-days', '9', '--rename', '!'],
        ['has no effect', '--rename must'],
      ],
      [
        ['rotation', 'update', 'ci', '--adopt-key', 'ASIA', '--grace', '400d', '--rename', '!'],
        ['--adopt-key must', '--grace must be at least 0s, at most 365d', '--rename must'],
      ],
      [
        ['connection', 'update', 'prod', '--role-arn', 'x', '--access-key-id', 'AKIA', '--rename', '!'],
        ['--role-arn and --access-key-id exclude', '--rename must'],
      ],
      [
        ['connection', 'update', 'prod', '--external-id', 'x', '--force'],
        ['--external-id has no effect without --role-arn', '--force has no effect'],
      ],
      [
        [
          'sync',
          'create',
          '--name',
          '!',
          ...folder,
          '--to',
          'secrets-manager',
          '--region',
          'eu-west-1',
          '--mapping',
          'one',
        ],
        ['--name must', '--mapping must be one of one-to-one, many-to-one'],
      ],
    ];
    for (const [command, problems] of commands) {
      // Nothing of it needs the database.
      const { code, stderr } = await keyferry(command, { environment: { DATABASE_URL: '' } });
      expect(code).toBe(2);
      for (const problem of problems) expect(stderr).toContain(problem);
      expect(stderr).toContain(`Example: \`keyferry ${command.slice(0, 2).join(' ')} `);
    }
  }, 120_000);

  it('is asked for a prefix of secrets that would be named by their keys alone, unless that is said', async () => {
    const folder = ['--connection', 'none', '--project', 'shop', '--env', 'prod', '--path', '/api'];
    const place = ['--to', 'secrets-manager', '--region', 'eu-west-1'];
    const create = ['sync', 'create', '--name', 'bare', ...folder, ...place];
    const bare = await keyferry(create);
    expect([bare.code, bare.stderr]).toEqual([2, expect.stringMatching(/--prefix is missing.* --mapping one-to-one/)]);
    const said = await keyferry([...create, '--mapping', 'one-to-one']);
    expect([said.code, said.stderr]).toEqual([2, expect.stringContaining('CONNECTION_NOT_FOUND')]);
  });

  it('is told both remedies when no database is named', async () => {
    const exit = await keyferry(['status'], { environment: { DATABASE_URL: '' } });
    expect(exit.code).toBe(2);
    expect(exit.stderr).toMatch(/DATABASE_URL is not set: set it .*keyferry up/);
  });

  it('is told which database, Redis or endpoint cannot be reached or used', async () => {
    const noDatabase = await keyferry(['status'], {
      environment: { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' },
    });
    expect([noDatabase.code, noDatabase.stderr]).toEqual([
      1,
      expect.stringContaining('PostgreSQL at 127.0.0.1:1 cannot be reached'),
    ]);
    const noRedis = await keyferry(['worker'], { environment: { REDIS_URL: 'redis://:planted-password@127.0.0.1:1' } });
    expect([noRedis.code, noRedis.stderr]).toEqual([
      1,
      expect.stringContaining('Redis at 127.0.0.1:1 cannot be reached'),
    ]);
    expect(noRedis.stderr).not.toContain('planted-password');
    const endpoint = await keyferry(['worker'], { environment: { AWS_ENDPOINT_URL: 'https://aws.example.com' } });
    expect([endpoint.code, endpoint.stderr]).toEqual([2, expect.stringContaining('KEYFERRY_ALLOW_CUSTOM_ENDPOINTS')]);
  });

  it('is shown no part of a URL’s login or path', async () => {
    const doctor = await keyferry(['doctor'], { environment: { REDIS_URL: 'redis://:planted@password@127.0.0.1:1' } });
    expect(doctor.stdout).toContain('Redis at 127.0.0.1:1 cannot be reached');
    const status = await keyferry(['status'], {
      environment: { AWS_ENDPOINT_URL: 'https://user:planted@aws.example.com/password' },
    });
    expect(status.stdout).toContain('AWS_ENDPOINT_URL = https://aws.example.com\n');
    expect(doctor.stdout + doctor.stderr + status.stdout + status.stderr).not.toMatch(/planted|password/);
  });

  it('is told about names that do not exist, by name', async () => {
    const sync = await keyferry(['sync', 'create', '--name', 's', '--connection', 'nope', ...place, ...parameterStore]);
    expect([sync.code, sync.stderr]).toEqual([2, expect.stringContaining('There is no connection nope')]);
    const folder = await keyferry(['secrets', 'list', ...place]);
    expect([folder.code, folder.stderr]).toEqual([
      2,
      expect.stringContaining('There is no folder /api in project shop, environment prod'),
    ]);
    const json = await keyferry(['connection', 'show', 'nope', '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'CONNECTION_NOT_FOUND' } });
  });

  it('is told which line of the secrets is wrong, and nothing of them is stored', async () => {
    const exit = await keyferry(['secrets', 'set', ...place], { input: 'GOOD=1\nplanted value without a name\n' });
    expect([exit.code, exit.stderr]).toEqual([2, expect.stringContaining('Line 2')]);
    expect(exit.stderr).not.toContain('planted');
    expect((await keyferry(['secrets', 'list', ...place])).stderr).toContain('There is no folder');
  });

  it('is told that an encryption key is missing or is not the one that was used', async () => {
    const set = await keyferry(['secrets', 'set', ...place.with(-1, '/keys')], { input: 'A=1\n' });
    expect(set.code).toBe(0);
    const missing = await keyferry(['worker'], {
      environment: { KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey('second') },
    });
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('first (1 row)')]);
    const other = await keyferry(['worker'], {
      environment: { KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey('first') },
    });
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringContaining('is not the one that the rows were encrypted with'),
    ]);
  });

  it('is told that the schema is missing or newer than the program', async () => {
    const empty = await createEmptyDatabase();
    const missing = await keyferry(['status'], { environment: { DATABASE_URL: empty.url } });
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('keyferry migrate')]);
    expect((await keyferry(['migrate'], { environment: { DATABASE_URL: empty.url } })).code).toBe(0);
    const sql = postgres(empty.url, { max: 1 });
    await sql`update keyferry.installation set compatible_since = 9999999999999`;
    await sql.end();
    const newer = await keyferry(['worker'], { environment: { DATABASE_URL: empty.url } });
    expect([newer.code, newer.stderr]).toEqual([2, expect.stringContaining('newer than this program')]);
    await empty.drop();
  });

  it('is told about bad usage with exit code 2', async () => {
    expect((await keyferry(['sync', 'frobnicate'])).code).toBe(2);
    const schema = await keyferry([
      'sync',
      'create',
      '--name',
      's',
      '--connection',
      'c',
      ...place,
      ...parameterStore,
      '--key-schema',
      'X',
    ]);
    expect([schema.code, schema.stderr]).toEqual([2, expect.stringContaining('--key-schema must hold {{secretKey}}')]);
  });

  it('is told of a defect without what its message holds', async () => {
    // As soon as the program listens for what escapes it.
    const script = `const timer = setInterval(() => {
      if (process.listenerCount('uncaughtException') === 0) return;
      clearInterval(timer);
      void Promise.reject(new Error('canary' + '-value'));
    }, 20)`;
    const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(script)}`;
    const { code, stdout, stderr } = await keyferry(['sandbox'], { environment: { NODE_OPTIONS } });
    expect(code).toBe(1);
    expect(stderr).toContain('[BUG_UNEXPECTED]');
    expect(stdout + stderr).not.toContain('canary-value');
  });

  it('does not empty a folder by an input that holds nothing', async () => {
    const kept = ['--project', 'shop', '--env', 'prod', '--path', '/kept'];
    const set = (flags: readonly string[], input: string) => keyferry(['secrets', 'set', ...kept, ...flags], { input });
    expect(await set([], 'A=1\nB=2')).toMatchObject({ code: 0 });
    const empty = await set(['--replace'], '# nothing\n');
    expect(empty).toMatchObject({ code: 2, stderr: expect.stringContaining('--allow-empty') as string });
    expect((await keyferry(['secrets', 'list', ...kept, '--json'])).stdout).toMatch(/"A"[^]*"B"/);
  });
});
