/**
 * SSM Parameter Store as the sync engine uses it: one small function per call. No decisions; what AWS refuses is thrown as the session's
 * `JobError`. Values go in and, in an import or a recovery, come out; they are never part of an error.
 */
import {
  AddTagsToResourceCommand,
  DeleteParametersCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  ListTagsForResourceCommand,
  type Parameter,
  PutParameterCommand,
  type PutParameterCommandInput,
  RemoveTagsFromResourceCommand,
} from '@aws-sdk/client-ssm';

import type { AwsSession } from './session.ts';

export interface ParameterWrite {
  readonly name: string;
  readonly value: string;
  /** Null: the AWS managed key of SSM. */
  readonly keyId: string | null;
  readonly tier: 'standard' | 'advanced' | 'intelligent';
}

export interface WrittenParameter {
  readonly version: string;
  /** The tier AWS chose. */
  readonly tier: string | undefined;
  /** How far AWS's clock is ahead of this machine's, to the second; undefined where the answer was not dated. */
  readonly clockAheadMs: number | undefined;
}

export interface ParameterMetadata {
  readonly version: string;
  readonly type: string | undefined;
  /** Milliseconds since the epoch. */
  readonly lastModified: number | undefined;
}

export interface ParameterStore {
  /** Fails with ParameterAlreadyExists rather than overwrite. */
  create(write: ParameterWrite & { readonly tags: Readonly<Record<string, string>> }): Promise<WrittenParameter>;
  /** Without a type, so that AWS refuses it when the parameter is gone, instead of creating one that nobody owns. */
  overwrite(write: ParameterWrite): Promise<WrittenParameter>;
  /** Versions of at most 10 names, nothing decrypted; missing ones are left out. */
  inspect(names: readonly string[]): Promise<ReadonlyMap<string, ParameterMetadata>>;
  /** Values of at most 10 names. */
  read(names: readonly string[]): Promise<ReadonlyMap<string, ParameterMetadata & { readonly value: string }>>;
  /** The parameters directly under a path, page by page. */
  readPath(path: string): AsyncIterable<ReadonlyMap<string, ParameterMetadata & { readonly value: string }>>;
  tagsOf(name: string): Promise<Readonly<Record<string, string>>>;
  addTags(name: string, tags: Readonly<Record<string, string>>): Promise<void>;
  removeTags(name: string, keys: readonly string[]): Promise<void>;
  /** At most 10; names that are gone already count as deleted. */
  delete(names: readonly string[]): Promise<void>;
}

const tiers = { standard: 'Standard', advanced: 'Advanced', intelligent: 'Intelligent-Tiering' } as const;

export function openParameterStore(session: AwsSession): ParameterStore {
  const { ssm } = session;
  return {
    create({ tags, ...write }) {
      const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
      return put(session, { ...toPut(write), Type: 'SecureString', Overwrite: false, Tags });
    },
    overwrite: (write) => put(session, { ...toPut(write), Overwrite: true }),
    async inspect(names) {
      const answer = await ssm.send(new GetParametersCommand({ Names: [...names], WithDecryption: false }));
      return new Map((answer.Parameters ?? []).map((found) => [found.Name ?? '', toMetadata(found)]));
    },
    async read(names) {
      const answer = await ssm.send(new GetParametersCommand({ Names: [...names], WithDecryption: true }));
      return toValues(answer.Parameters);
    },
    readPath: (path) => readPath(session, path),
    async tagsOf(name) {
      const answer = await ssm.send(new ListTagsForResourceCommand({ ResourceType: 'Parameter', ResourceId: name }));
      return Object.fromEntries((answer.TagList ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? '']));
    },
    async addTags(name, tags) {
      const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
      await ssm.send(new AddTagsToResourceCommand({ ResourceType: 'Parameter', ResourceId: name, Tags }));
    },
    async removeTags(name, keys) {
      await ssm.send(
        new RemoveTagsFromResourceCommand({ ResourceType: 'Parameter', ResourceId: name, TagKeys: [...keys] }),
      );
    },
    async delete(names) {
      await ssm.send(new DeleteParametersCommand({ Names: [...names] }));
    },
  };
}

/** Key and tier are always sent: left out, AWS takes the account's defaults, which may differ. */
function toPut(write: ParameterWrite) {
  return { Name: write.name, Value: write.value, KeyId: write.keyId ?? 'alias/aws/ssm', Tier: tiers[write.tier] };
}

async function put({ ssm }: AwsSession, input: PutParameterCommandInput): Promise<WrittenParameter> {
  const command = new PutParameterCommand(input);
  let clockAheadMs: number | undefined;
  // The answer's date is all that tells AWS's clock, by which the parameter's own date is set.
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> };
      const answeredAt = Date.parse(headers?.['date'] ?? '');
      if (Number.isFinite(answeredAt)) clockAheadMs = answeredAt - Date.now();
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  const answer = await ssm.send(command);
  return { version: String(answer.Version ?? ''), tier: answer.Tier, clockAheadMs };
}

function toMetadata(parameter: Parameter): ParameterMetadata {
  return {
    version: String(parameter.Version ?? ''),
    type: parameter.Type,
    lastModified: parameter.LastModifiedDate?.getTime(),
  };
}

function toValues(parameters: readonly Parameter[] | undefined) {
  return new Map(
    (parameters ?? []).map((found) => [found.Name ?? '', { ...toMetadata(found), value: found.Value ?? '' }]),
  );
}

async function* readPath(session: AwsSession, path: string) {
  let token: string | undefined;
  do {
    // A page may be empty and still have a next one.
    const answer = await session.ssm.send(
      new GetParametersByPathCommand({
        Path: path,
        Recursive: false,
        WithDecryption: true,
        MaxResults: 10,
        NextToken: token,
      }),
    );
    yield toValues(answer.Parameters);
    token = answer.NextToken;
  } while (token !== undefined && token !== '');
}
