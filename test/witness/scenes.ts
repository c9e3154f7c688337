/**
 * What many stories begin with: an account with a role, a connection, a folder, syncs of that
 * folder. All of it is named after the story.
 */
import { createRole, type Account } from './account.ts';
import type { CommandResult, Row } from './installation.ts';
import type { StoryContext } from './story.ts';

export interface RoleUse {
  readonly parameterPath?: string;
  readonly secretPrefix?: string;
  /** One JSON secret of this name. */
  readonly secretName?: string;
  readonly userName?: string;
}

export interface Scene {
  readonly account: Account;
  readonly id: string;
  /** Sets secrets of the folder: `secrets set`. */
  set(values: Readonly<Record<string, string>>, flags?: string): Promise<CommandResult>;
  unset(...keys: readonly string[]): Promise<CommandResult>;
  /** `sync create` for the folder, with the connection of the story. */
  createSync(flags: string, name?: string): Promise<CommandResult>;
  /** `sync VERB NAME FLAGS`, whatever it ends with. */
  sync(verb: string, flags?: string, name?: string): Promise<CommandResult>;
  /** The sync's row in PostgreSQL. */
  row(name?: string): Promise<Row>;
  /** Names in the folder, as the command line lists them. */
  keys(): Promise<readonly string[]>;
}

export async function openScene(context: StoryContext, use: RoleUse): Promise<Scene> {
  const account = await context.world.account();
  await createRoleConnection(context, account, use);
  return sceneOf(context, account);
}

export function sceneOf({ installation, id }: StoryContext, account: Account): Scene {
  const place = `--project shop --env prod --path /${id}`;
  return {
    account,
    id,
    set: (values, flags = '') => installation.must(`secrets set ${place} ${flags}`, JSON.stringify(values)),
    unset: (...keys) => installation.must(`secrets unset ${keys.join(' ')} ${place}`),
    createSync: (flags, name = id) =>
      installation.must(`sync create --name ${name} --connection ${id} ${place} --region eu-west-1 ${flags}`),
    sync: (verb, flags = '', name = id) => installation.run(`sync ${verb} ${name} ${flags}`),
    async row(name = id) {
      const [row] = await installation.rows('select * from keyferry.syncs where name = $1', name);
      return row ?? {};
    },
    async keys() {
      const { json } = await installation.must(`secrets list ${place}`);
      return (json as unknown as readonly { readonly key: string }[]).map(({ key }) => key).sort();
    },
  };
}

/**
 * A role whose policies are those that `keyferry policy` prints, and a connection named after the
 * story that uses it.
 */
export async function createRoleConnection(
  { installation, id }: Pick<StoryContext, 'installation' | 'id'>,
  account: Account,
  use: RoleUse,
): Promise<void> {
  const policies = await Promise.all(policyCommands(use).map((command) => installation.must(command)));
  const arn = await createRole(account, {
    name: `keyferry-${id}`,
    externalId: 'acme',
    policies: policies.map(({ json }) => json),
  });
  await installation.must(`connection create --name ${id} --method assume-role --role-arn ${arn} --region eu-west-1`);
}

export function policyCommands({ parameterPath, secretPrefix, secretName, userName }: RoleUse): readonly string[] {
  return [
    ...(parameterPath === undefined ? [] : [`policy parameter-store --path ${parameterPath}`]),
    ...(secretPrefix === undefined ? [] : [`policy secrets-manager --secret-prefix ${secretPrefix}`]),
    ...(secretName === undefined ? [] : [`policy secrets-manager --secret-name ${secretName}`]),
    ...(userName === undefined ? [] : [`policy access-key-rotation --user ${userName}`]),
  ];
}
