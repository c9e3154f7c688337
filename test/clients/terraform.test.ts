/**
 * The unchanged provider: apply, empty plan, every attribute changed and removed, changes from
 * outside, destroy and apply again. Needs a Terraform or OpenTofu binary (`TF_BIN`) and a binary of
 * Infisical's provider (`TF_PROVIDER_BIN`); without them the lane is left out by name.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openDatabase } from '../../src/db/client.ts';
import { createIdentities } from '../../src/db/identities.ts';
import { trustPolicy } from '../../src/domain/policy/policies.ts';
import { ACCOUNT, startInstallation, type Installation } from '../e2e/support/installation.ts';
import { place } from './bodies.ts';
import { binaries, openWorkspace, toTerraform, type Configuration, type Workspace } from './terraform.ts';

const isHere = binaries.terraform !== undefined && binaries.provider !== undefined;
const CYCLES = Number(process.env['TF_CYCLES'] ?? '3');
const TRUST = trustPolicy({ partition: 'aws', baseAccountId: '111122223333', externalId: 'acme' });
const ALLOW_ALL = [{ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }] as const;
const USER = { accountId: ACCOUNT, userName: 'shop-deployer' };
const REGION = { accountId: ACCOUNT, region: 'eu-west-1' };
const values: Readonly<Record<string, string>> = { DB_URL: 'one', DB_USER: 'two' };

/** What the program printed, without the frame and the lines that it breaks its messages into. */
const unwrapped = (output: string) => output.replaceAll(/[│╷╵\s]+/g, ' ');

/** Numbers that look random and are the same in every run. */
function createDice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * sides);
  };
}

describe.skipIf(!isHere)('Terraform with Infisical’s provider (TF_BIN, TF_PROVIDER_BIN)', () => {
  let installation: Installation;
  let workspace: Workspace;
  let base: Configuration;
  beforeAll(async () => {
    installation = await startInstallation({ queue: 'postgres' });
    const database = openDatabase(installation.environment['DATABASE_URL'] ?? '');
    const settings = {
      name: 'terraform',
      scope: 'write',
      projects: null,
      onExisting: 'fail',
      expiresAt: null,
    } as const;
    const { identity, clientSecret } = await createIdentities(database.db).create('acme', settings);
    await database.close();
    createRole('terraform');
    installation.sandbox.createUser(USER);
    for (const projectId of ['shop', 'moved'])
      await installation.keyferry.secrets.set({ ...place, projectId }, { values });
    workspace = await openWorkspace({
      INFISICAL_UNIVERSAL_AUTH_CLIENT_ID: identity.id,
      INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET: clientSecret,
    });
    base = {
      url: installation.url,
      roleArn: roleArn('terraform'),
      description: 'by terraform',
      project: 'shop',
      tags: { team: 'shop' },
      keySchema: undefined,
      kmsKeyId: undefined,
      metadataAsTags: false,
      prefix: 'shop',
      interval: 30,
      rotationRegion: 'eu-west-1',
      userName: USER.userName,
      withRotation: true,
      syncs: 2,
    };
  }, 120_000);
  afterAll(async () => {
    await workspace.close();
    await installation.stop();
  }, 60_000);

  const roleArn = (roleName: string) => `arn:aws:iam::${ACCOUNT}:role/${roleName}`;

  function createRole(roleName: string): void {
    installation.sandbox.createRole({ accountId: ACCOUNT, roleName, trustPolicy: TRUST, policy: [...ALLOW_ALL] });
  }

  /** Applied, nothing left to plan, and every sync and rotation well. */
  async function converges(configuration: Configuration): Promise<void> {
    const { code, output } = await workspace.apply(toTerraform(configuration));
    expect([code, code === 0 ? '' : output]).toEqual([0, '']);
    expect(await workspace.plan()).toBe(0);
    await allWell();
    expectAtAws(configuration);
  }

  async function allWell(): Promise<void> {
    const { keyferry } = installation;
    const trouble = async () => {
      // A change that no worker has taken yet still shows the status before it.
      const syncs = (await keyferry.syncs.list()).map((one) =>
        one.version === one.syncedVersion ? [one.name, one.syncStatus, one.statusMessage] : [one.name, 'changed'],
      );
      const rotations = (await keyferry.rotations.list()).map((one) => [one.name, one.rotationStatus]);
      return [...syncs, ...rotations].filter(([, status]) => status !== 'succeeded');
    };
    // Parameter Store takes the name of a deleted parameter again after 30 s; syncs wait for that.
    await expect.poll(trouble, { timeout: 90_000, interval: 100 }).toEqual([]);
  }

  function expectAtAws({ prefix, syncs, tags, keySchema }: Configuration): void {
    const { inspect } = installation.sandbox;
    for (let index = 0; index < syncs; index += 1) {
      for (const [key, value] of Object.entries(values)) {
        const name = `/${prefix}/${String(index)}/${keySchema?.replace('{{secretKey}}', key) ?? key}`;
        const parameter = inspect.parameter({ ...REGION, name });
        const { team } = parameter?.tags ?? {};
        expect([name, parameter?.value, team]).toEqual([name, value, tags?.['team']]);
      }
    }
    for (const [key, value] of Object.entries(values))
      expect(inspect.secret({ ...REGION, name: `${prefix}_${key}` })?.value).toBe(value);
    expect(inspect.accessKeys(USER).filter(({ status }) => status === 'Active')).not.toEqual([]);
  }

  it('fails with a wrong role and records nothing', async () => {
    const { code, output } = await workspace.apply(toTerraform({ ...base, roleArn: roleArn('nowhere') }));
    expect([code, unwrapped(output).includes('cannot be assumed')]).toEqual([1, true]);
    expect(await installation.keyferry.connections.list()).toEqual([]);
  }, 120_000);

  it('waits for a role that is made while it applies', async () => {
    setTimeout(() => {
      createRole('late');
    }, 8_000);
    const late = { ...base, roleArn: roleArn('late'), withRotation: false, syncs: 0 };
    const { code, output } = await workspace.apply(toTerraform(late));
    expect([code, code === 0 ? '' : output]).toEqual([0, '']);
    expect((await workspace.destroy()).code).toBe(0);
  }, 120_000);

  it('converges after every attribute is changed and removed again', async () => {
    await converges(base);
    const changes: readonly Partial<Configuration>[] = [
      { description: 'changed' },
      { tags: { team: 'other', cost: '7' } },
      { tags: undefined },
      { keySchema: 'APP_{{secretKey}}' },
      { metadataAsTags: true },
      { kmsKeyId: 'alias/aws/ssm' },
      { interval: 14 },
      { rotationRegion: 'us-east-1' },
      { prefix: 'renamed' },
    ];
    for (const change of changes) {
      await converges({ ...base, ...change });
      await converges(base);
    }
  }, 600_000);

  it('keeps the working role when the new one is refused', async () => {
    const { code } = await workspace.apply(toTerraform({ ...base, roleArn: roleArn('nowhere') }));
    expect(code).toBe(1);
    expect(await installation.keyferry.connections.get('aws-role')).toMatchObject({
      roleArn: base.roleArn,
      status: 'valid',
    });
    await converges(base);
  }, 180_000);

  it('notices credentials that change and a sync that is deleted outside', async () => {
    createRole('outside');
    const { keyferry } = installation;
    await keyferry.connections.update(
      'aws-role',
      { credentials: { method: 'assume-role', roleArn: roleArn('outside') } },
      { force: true },
    );
    expect(await workspace.plan()).toBe(2);
    await converges(base);
    await keyferry.syncs.delete('parameters-0', { abandon: true });
    expect(await workspace.plan()).toBe(2);
    await converges(base);
  }, 180_000);

  it('destroys and applies again', async () => {
    const before = installation.sandbox.inspect.accessKeys(USER);
    expect((await workspace.destroy()).code).toBe(0);
    await converges(base);
    expect(installation.sandbox.inspect.accessKeys(USER)).toMatchObject(
      before.map(({ accessKeyId }) => ({ accessKeyId })),
    );
    expect((await workspace.destroy()).code).toBe(0);
    expect(await installation.keyferry.syncs.list()).toEqual([]);
  }, 300_000);

  it(`converges in ${String(CYCLES)} random cycles of edits and destruction`, async () => {
    const roll = createDice(7);
    const pick = <T>(options: readonly T[]): T => options[roll(options.length)] as T;
    for (let cycle = 0; cycle < CYCLES; cycle += 1) {
      await converges({
        ...base,
        description: pick(['a', 'b', 'c']),
        tags: pick([undefined, { team: 'shop' }, { team: 'other' }]),
        keySchema: pick([undefined, 'X_{{secretKey}}', 'Y_{{secretKey}}']),
        metadataAsTags: pick([true, false]),
        interval: pick([7, 14, 30]),
        prefix: pick(['shop', 'renamed']),
        syncs: pick([1, 2, 3]),
      });
      if (roll(3) === 0) expect((await workspace.destroy()).code).toBe(0);
    }
  }, 3_600_000);
});
