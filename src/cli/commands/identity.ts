/** `keyferry identity …`: machine identities, which log in to the HTTP API. */
import { Option, type Command } from 'commander';
import { z } from 'zod';

import { nameShape, parseInput, problemsIn } from '../../client/input.ts';
import type { IdentityRow, IdentityWithSecret } from '../../db/identities.ts';
import { scopes } from '../../domain/caller.ts';
import { collect, done, leaf, runWithClient, type ClientInvocation, type Options } from '../command.ts';
import { confirm, withConfirmation } from '../confirm.ts';
import { fields, table, type Output } from '../output.ts';
import { personName } from '../person.ts';

export function addIdentityCommands(noun: Command): void {
  addCreate(noun);
  runWithClient(leaf(noun, 'list', 'all identities of the org'), async ({ client, program, output }) => {
    const identities = await program.stores.identities.list(client.orgId);
    output.result(identities, () =>
      table(
        ['NAME', 'CLIENT ID', 'SCOPE', 'PROJECTS', 'ON EXISTING', 'EXPIRES', 'SECRET SINCE'],
        identities.map((one) => [
          one.name,
          one.id,
          one.scope,
          projectsOf(one),
          one.onExisting,
          one.expiresAt,
          one.secretChangedAt,
        ]),
      ),
    );
    return done;
  });
  runWithClient(
    withConfirmation(
      leaf(noun, 'rotate-secret <name>', 'a new client secret; the old one and all its access tokens stop working'),
    ),
    async (invocation) => {
      const {
        args: [name = ''],
        client,
        program,
        output,
      } = invocation;
      await confirm(invocation, `The client secret of ${name} stops working, and all its access tokens.`);
      show(output, await program.stores.identities.rotateSecret(client.orgId, name, personName()));
      return done;
    },
  );
  addRevoke(noun);
}

function addRevoke(noun: Command): void {
  runWithClient(
    withConfirmation(leaf(noun, 'revoke <name>', 'delete an identity; its access tokens stop working within 5 s')),
    async (invocation) => {
      const {
        args: [name = ''],
        client,
        program,
        output,
      } = invocation;
      await confirm(invocation, `The identity ${name} is deleted, and its clients lose their access.`);
      const identity = await program.stores.identities.revoke(client.orgId, name, personName());
      output.result({ revoked: identity.name }, () => `Revoked ${identity.name}.`);
      return done;
    },
  );
}

const settings = z.strictObject({
  name: nameShape,
  scope: z.enum(scopes),
  projects: z.array(z.string().regex(/^[\w.-]{1,128}$/, 'must be 1 to 128 letters, digits or . _ -')).nullable(),
  onExisting: z.enum(['fail', 'adopt']),
  expiresAt: z
    .string()
    .transform((text) => new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text))
    .refine(
      (at) => at.getTime() > Date.now(),
      'must be a time in the future, such as 2027-01-31 or 2027-01-31T12:00:00Z',
    )
    .nullable(),
});

function addCreate(noun: Command): void {
  const command = leaf(noun, 'create <name>', 'print client id and client secret; the secret is shown once')
    .addOption(new Option('--scope <scope>', 'what it may do').choices([...scopes]).default('write'))
    .option('--project <project>', 'only this project (repeatable; default: all)', collect)
    .option('--expires <time>', 'such as 2027-01-31; default: never')
    .addOption(
      new Option('--on-existing <behavior>', 'what its new syncs do with existing objects at AWS')
        .choices(['fail', 'adopt'])
        .default('fail'),
    );
  const create = async ({ args: [name = ''], client, program, options, output }: ClientInvocation) => {
    const input = parseInput(settings, { name, ...toSettings(options) });
    show(output, await program.stores.identities.create(client.orgId, input, personName()));
    return done;
  };
  runWithClient(command, create, (options, [name = '']) => problemsIn(settings, { name, ...toSettings(options) }));
}

function toSettings({ scope, project, onExisting, expires }: Options) {
  return { scope, projects: project ?? null, onExisting, expiresAt: expires ?? null };
}

function projectsOf({ projects }: IdentityRow): string {
  return projects?.join(', ') ?? 'all';
}

function show(output: Output, { identity, clientSecret }: IdentityWithSecret): void {
  output.result({ clientId: identity.id, clientSecret, ...identity }, () =>
    fields([
      ['identity', identity.name],
      ['client id', identity.id],
      ['client secret', clientSecret],
      ['org', identity.orgId],
      ['scope', identity.scope],
      ['projects', projectsOf(identity)],
      ['on existing', identity.onExisting],
      ['expires', identity.expiresAt],
    ]),
  );
  output.note('The client secret is not stored. Keep it now; rotate-secret gives a new one.');
}
