/**
 * SSM Parameter Store as the sync engine uses it: one small function per call. No decisions; what
 * AWS refuses is thrown as the session's `JobError`. Values go in and, in an import or a recovery,
 * come out; they are never part of an error. Names are fully qualified on the way in and out: AWS
 * may return `/NAME` as `NAME`, which is the same parameter.
 */
import {
  AddTagsToResourceCommand,
  DeleteParametersCommand,
  DescribeParametersCommand,
  GetParametersByPathCommand,
  GetParametersCommand,
  ListTagsForResourceCommand,
  type Parameter,
  type ParameterMetadata as SsmParameterMetadata,
  type ParameterStringFilter,
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
  /** AWS's clock when it answered, to the second; undefined where the answer was not dated. */
  readonly answeredAt: Date | undefined;
}

export interface ParameterMetadata {
  readonly version: string;
  readonly type: string | undefined;
  /** Milliseconds since the epoch. */
  readonly lastModified: number | undefined;
  /** Only from `describe`. */
  readonly keyId?: string | undefined;
}

/** A search by tag. */
export interface TagFilter {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Described {
  readonly found: ReadonlyMap<string, ParameterMetadata>;
  /** False when AWS kept returning pages: names that are not in `found` may exist and match. */
  readonly isComplete: boolean;
}

export interface ParameterStore {
  /** Fails with ParameterAlreadyExists rather than overwrite. */
  create(write: ParameterWrite & { readonly tags: Readonly<Record<string, string>> }): Promise<WrittenParameter>;
  /**
   * With the type, so that AWS never stores the value in a parameter that somebody made a plain
   * String.
   */
  overwrite(write: ParameterWrite): Promise<WrittenParameter>;
  /**
   * Those of at most 50 names that carry the tag. May miss what was written within the last minute.
   */
  describe(names: readonly string[], tag: TagFilter): Promise<Described>;
  /** All that carry the tag, page by page. May miss what was written within the last minute. */
  list(tag: TagFilter): AsyncIterable<ReadonlyMap<string, ParameterMetadata>>;
  /** Versions of at most 10 names, nothing decrypted; missing ones are left out. */
  inspect(names: readonly string[]): Promise<ReadonlyMap<string, ParameterMetadata>>;
  /** Values of at most 10 names. */
  read(names: readonly string[]): Promise<ReadonlyMap<string, ParameterMetadata & { readonly value: string }>>;
  /** The parameters directly under a path, page by page. */
  readPath(
    path: string,
    options?: { readonly isRecursive: boolean },
  ): AsyncIterable<ReadonlyMap<string, ParameterMetadata & { readonly value: string }>>;
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
    overwrite: (write) => put(session, { ...toPut(write), Type: 'SecureString', Overwrite: true }),
    describe: (names, tag) => describe(session, names, tag),
    list: (tag) => list(session, tag),
    async inspect(names) {
      const answer = await ssm.send(new GetParametersCommand({ Names: [...names], WithDecryption: false }));
      return new Map((answer.Parameters ?? []).map((found) => [qualified(found.Name), toMetadata(found)]));
    },
    async read(names) {
      const answer = await ssm.send(new GetParametersCommand({ Names: [...names], WithDecryption: true }));
      return toValues(answer.Parameters);
    },
    readPath: (path, options) => readPath(session, path, options),
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
  let answeredAt: Date | undefined;
  // The parameter's own date is set by AWS's clock, which only the answer's date shows.
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { readonly headers?: Readonly<Record<string, string>> };
      const answeredAtMs = Date.parse(headers?.['date'] ?? '');
      if (Number.isFinite(answeredAtMs)) answeredAt = new Date(answeredAtMs);
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
  const answer = await ssm.send(command);
  return { version: String(answer.Version ?? ''), tier: answer.Tier, answeredAt };
}

function toMetadata(parameter: Pick<Parameter, 'Version' | 'Type' | 'LastModifiedDate'>): ParameterMetadata {
  return {
    version: String(parameter.Version ?? ''),
    type: parameter.Type,
    lastModified: parameter.LastModifiedDate?.getTime(),
  };
}

function toValues(parameters: readonly Parameter[] | undefined) {
  return new Map(
    (parameters ?? []).map((found) => [qualified(found.Name), { ...toMetadata(found), value: found.Value ?? '' }]),
  );
}

function qualified(name = ''): string {
  return name.startsWith('/') ? name : `/${name}`;
}

/** Pages may be short or empty and still have a next one, so their number is bounded. */
const MAX_PAGES = 20;

async function describe({ ssm }: AwsSession, names: readonly string[], tag: TagFilter): Promise<Described> {
  const ParameterFilters = [{ Key: 'Name', Option: 'Equals', Values: [...names] }, toTagFilter(tag)];
  const found = new Map<string, ParameterMetadata>();
  let token: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await ssm.send(
      new DescribeParametersCommand({ ParameterFilters, MaxResults: 50, NextToken: token }),
    );
    for (const [name, one] of toDescribed(answer.Parameters)) found.set(name, one);
    token = answer.NextToken;
    if (token === undefined || token === '' || found.size === names.length) return { found, isComplete: true };
  }
  return { found, isComplete: false };
}

async function* list({ ssm }: AwsSession, tag: TagFilter) {
  let token: string | undefined;
  do {
    // A page may be empty and still have a next one.
    const answer = await ssm.send(
      new DescribeParametersCommand({ ParameterFilters: [toTagFilter(tag)], MaxResults: 50, NextToken: token }),
    );
    yield toDescribed(answer.Parameters);
    token = answer.NextToken;
  } while (token !== undefined && token !== '');
}

function toTagFilter({ key, values }: TagFilter): ParameterStringFilter {
  return { Key: `tag:${key}`, Option: 'Equals', Values: [...values] };
}

function toDescribed(parameters: readonly SsmParameterMetadata[] | undefined) {
  return new Map(
    (parameters ?? []).map((one) => [qualified(one.Name), { ...toMetadata(one), keyId: one.KeyId }] as const),
  );
}

async function* readPath(session: AwsSession, path: string, { isRecursive } = { isRecursive: false }) {
  let token: string | undefined;
  do {
    // A page may be empty and still have a next one.
    const answer = await session.ssm.send(
      new GetParametersByPathCommand({
        Path: path,
        Recursive: isRecursive,
        WithDecryption: true,
        MaxResults: 10,
        NextToken: token,
      }),
    );
    yield toValues(answer.Parameters);
    token = answer.NextToken;
  } while (token !== undefined && token !== '');
}
