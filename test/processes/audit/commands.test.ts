/**
 * Every command that changes something leaves one row with the person: the account and the machine.
 * A new command is one or the other, or this fails.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

import type { Command } from 'commander';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { createProgram } from '../../../src/cli/program.ts';
import { loadConfig } from '../../../src/config/config.ts';
import { generateEncryptionKey } from '../../../src/config/encryption-key.ts';
import { openStores, type OpenStores } from '../../../src/stores.ts';
import { startCommandHost, type CommandHost } from '../../support/command-host.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { createEmptyDatabase, useTestDatabase } from '../../support/postgres.ts';
import { createSubjects, latestId, ORG, roleArn, rowsSince, type Subjects } from '../../integration/audit/subjects.ts';

const PERSON = `cli:${userInfo().username}@${hostname()}`;

const looks = [
  ...['status', 'doctor', 'runs list', 'folders list', 'audit list', 'keys generate', 'keys check', 'restore status'],
  ...['connection', 'webhook', 'rotation', 'sync'].flatMap((noun) => [`${noun} show`, `${noun} list`]),
  ...['secrets list', 'source show', 'identity list'],
  ...['base-user', 'parameter-store', 'secrets-manager', 'access-key-rotation', 'trust', 'servers'].map(
    (policy) => `policy ${policy}`,
  ),
];

/** What runs until it is stopped, and the sandbox, which is no installation. */
const programs = ['demo', 'up', 'worker', 'server', 'sandbox create'];

/**
 * Tried elsewhere: it needs a guard (test/integration/restore/guard.test.ts), and a database
 * without a schema (below).
 */
const elsewhere = ['restore accept', 'migrate'];

interface Scene extends Subjects {
  readonly file: string;
}

const at = ({ projectId, environment, secretPath }: Subjects['place']) =>
  `--project ${projectId} --env ${environment} --path ${secretPath}`;
const SOON = '--timeout 1s';

/** The command line, and the actions of its rows where it makes more than one change. */
const changes: Readonly<
  Record<string, readonly [line: (scene: Scene) => string, actions: readonly string[], statuses?: readonly number[]]>
> = {
  'connection create': [
    ({ unique }) => `connection create --name ${unique}-x --method assume-role --role-arn ${roleArn} --no-wait`,
    ['connection.create'],
  ],
  'connection update': [({ connection }) => `connection update ${connection} --description x`, ['connection.update']],
  'connection validate': [({ connection }) => `connection validate ${connection} --no-wait`, ['connection.validate']],
  // Refused, because a sync uses it: also on record.
  'connection delete': [({ connection }) => `connection delete ${connection} --yes`, ['connection.delete'], [409]],
  'secrets set': [({ place, file }) => `secrets set ${at(place)} --file ${file}`, ['secrets.set']],
  'secrets unset': [({ place }) => `secrets unset A ${at(place)} --yes`, ['secrets.unset']],
  'source set': [
    ({ sourced }) => `source set ${at(sourced)} --kind http --url https://other.example.com/ --no-auth`,
    ['source.set'],
  ],
  'source run': [({ sourced }) => `source run ${at(sourced)} --timeout 1s`, ['source.run'], [202]],
  'source unset': [({ sourced }) => `source unset ${at(sourced)}`, ['source.unset']],
  'sync create': [
    ({ unique, connection, place }) =>
      `sync create --name ${unique}-x --connection ${connection} ${at(place)} --to parameter-store --region eu-west-1 --prefix /${unique}-x/ --no-auto`,
    ['sync.create'],
  ],
  'sync update': [({ sync }) => `sync update ${sync} --description x`, ['sync.update']],
  'sync run': [({ sync }) => `sync run ${sync} --no-wait`, ['sync.run']],
  'sync check': [({ sync }) => `sync check ${sync} --no-wait`, ['sync.check']],
  'sync plan': [({ sync }) => `sync plan ${sync} ${SOON}`, ['sync.plan']],
  'sync import': [({ sync }) => `sync import ${sync} --prioritize source --no-wait`, ['sync.import']],
  'sync remove': [({ sync }) => `sync remove ${sync} --no-wait --yes`, ['sync.remove']],
  'sync pause': [({ sync }) => `sync pause ${sync}`, ['sync.pause']],
  'sync resume': [({ sync }) => `sync resume ${sync}`, ['sync.resume']],
  'sync cancel': [({ sync }) => `sync cancel ${sync}`, ['sync.cancel']],
  'sync delete': [({ sync }) => `sync delete ${sync} --abandon --yes`, ['sync.delete']],
  'rotation create': [
    ({ unique, connection, place }) =>
      `rotation create --name ${unique}-x --connection ${connection} --user ${unique}-x ${at(place)} --access-key-id-as I --secret-access-key-as S --every 30d --no-wait`,
    ['rotation.create'],
  ],
  'rotation update': [({ rotation }) => `rotation update ${rotation} --description x`, ['rotation.update']],
  'rotation run': [({ rotation }) => `rotation run ${rotation} --no-wait`, ['rotation.rotate']],
  'rotation pause': [({ rotation }) => `rotation pause ${rotation}`, ['rotation.pause']],
  'rotation resume': [({ rotation }) => `rotation resume ${rotation}`, ['rotation.resume']],
  'rotation cancel': [({ rotation }) => `rotation cancel ${rotation} --no-wait`, ['rotation.cancel'], [409]],
  'rotation reactivate': [({ rotation }) => `rotation reactivate ${rotation} --no-wait`, ['rotation.reactivate']],
  'rotation delete': [({ rotation }) => `rotation delete ${rotation} --yes`, ['rotation.delete']],
  'identity create': [({ unique }) => `identity create ${unique}-x`, ['identity.create']],
  'identity rotate-secret': [() => 'identity rotate-secret kept', ['identity.rotateSecret']],
  'identity revoke': [() => 'identity revoke kept --yes', ['identity.revoke']],
  'webhook create': [({ unique }) => `webhook create ${unique}-x --url https://hooks.example.com/`, ['webhook.create']],
  'webhook test': [({ webhook }) => `webhook test ${webhook} --timeout 1s`, ['webhook.test']],
  'webhook replay': [({ webhook }) => `webhook replay ${webhook}`, ['webhook.replay']],
  'webhook delete': [({ webhook }) => `webhook delete ${webhook}`, ['webhook.delete']],
  'keys rewrap': [() => 'keys rewrap', ['keys.rewrap']],
};

const database = useTestDatabase();
let environment: Readonly<Record<string, string>>;
let stores: OpenStores;
let host: CommandHost;
let directory: string;
beforeAll(async () => {
  environment = cleanEnvironment({
    DATABASE_URL: database().url,
    KEYFERRY_ENCRYPTION_KEYS: generateEncryptionKey(),
    KEYFERRY_ORG: ORG,
  });
  stores = openStores(loadConfig(environment));
  host = startCommandHost(environment);
  directory = await mkdtemp(join(tmpdir(), 'keyferry-audit-'));
  await writeFile(join(directory, 'secrets.env'), 'A=b\n');
  const settings = { name: 'kept', scope: 'write', projects: null, onExisting: 'fail', expiresAt: null } as const;
  await stores.identities.create(ORG, settings);
}, 60_000);
afterAll(async () => {
  await host.stop();
  await stores.close();
  await rm(directory, { recursive: true });
});

function leavesOf(command: Command, path: readonly string[] = []): readonly string[] {
  if (command.commands.length === 0) return [path.join(' ')];
  return command.commands.flatMap((one) => leavesOf(one, [...path, one.name()]));
}

test('every command either changes something or only looks', async () => {
  const listed = [...Object.keys(changes), ...looks, ...programs, ...elsewhere];
  expect(listed.toSorted()).toEqual(leavesOf(await createProgram()).toSorted());
});

test.each(Object.entries(changes))(
  '%s leaves a row with the person',
  async (_name, [toLine, actions, statuses]) => {
    const subjects = await createSubjects(stores);
    const since = await latestId(stores);
    const line = toLine({ ...subjects, file: join(directory, 'secrets.env') });
    const exit = await host.run({ args: line.split(' '), environment });

    const rows = await rowsSince(stores, since);
    expect([line, exit.stderr, rows]).toEqual([
      line,
      expect.anything(),
      actions.map((action, index) => ({
        orgId: action.startsWith('keys.') ? null : ORG,
        actor: PERSON,
        via: 'cli',
        action,
        subject: subjectOf(action, subjects),
        statusCode: statuses?.[index] ?? 200,
      })),
    ]);
  },
  60_000,
);

/** What was asked of a sync is on record for this sync, not for the kind of the wish. */
function subjectOf(action: string, { sync }: Subjects): unknown {
  if (action.startsWith('keys.')) return null;
  return /^sync\.(?!create|update|delete)/.test(action) ? sync : expect.stringMatching(/^[\w./-]+$/);
}

test('migrate leaves a row with the person, once', async () => {
  const empty = await createEmptyDatabase();
  const fresh = openStores({ ...loadConfig(environment), databaseUrl: empty.url });
  for (let round = 0; round < 2; round += 1) {
    const exit = await host.run({ args: ['migrate'], environment: { ...environment, DATABASE_URL: empty.url } });
    expect([exit.code, exit.code === 0 ? '' : exit.stderr]).toEqual([0, '']);
  }
  expect(await rowsSince(fresh, 0)).toMatchObject([
    { orgId: null, actor: PERSON, via: 'cli', action: 'database.migrate', statusCode: 200 },
  ]);
  await fresh.close();
  await empty.drop();
}, 60_000);
