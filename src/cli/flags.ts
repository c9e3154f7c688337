/**
 * Rewrites the client's messages for the terminal: fields become the flags of the command. Pure.
 */
import { type Named, withName } from '../domain/advice.ts';

/** The longest matching path wins; of its flags, the first that the command has. */
const flagsOf: Readonly<Record<string, readonly string[]>> = {
  name: ['--rename', '--name', '<name>'],
  description: ['--description'],
  connection: ['--connection'],
  destination: ['--to'],
  'source.projectId': ['--project'],
  'source.environment': ['--env'],
  'source.secretPath': ['--path'],
  'target.projectId': ['--project'],
  'target.environment': ['--env'],
  'target.secretPath': ['--path'],
  projectId: ['--project'],
  environment: ['--env'],
  secretPath: ['--path'],
  region: ['--region'],
  'destinationConfig.region': ['--region'],
  'destinationConfig.path': ['--prefix'],
  'destinationConfig.prefix': ['--prefix'],
  'destinationConfig.secretName': ['--secret-name'],
  'destinationConfig.mappingBehavior': ['--mapping'],
  'syncOptions.keySchema': ['--key-schema'],
  'syncOptions.recursive': ['--recursive'],
  'syncOptions.include': ['--include'],
  'syncOptions.exclude': ['--exclude'],
  'syncOptions.keyId': ['--kms-key'],
  'syncOptions.tags': ['--tag'],
  'syncOptions.syncSecretMetadataAsTags': ['--metadata-as-tags'],
  'syncOptions.onExisting': ['--on-existing'],
  'syncOptions.drift': ['--drift'],
  'syncOptions.initialSyncBehavior': ['--initial'],
  'syncOptions.tier': ['--tier'],
  'syncOptions.recoveryDays': ['--recovery-days'],
  'syncOptions.replicaRegions': ['--replica-region'],
  'syncOptions.replicaKeys': ['--replica-region'],
  'credentials.method': ['--method'],
  'credentials.roleArn': ['--role-arn'],
  'credentials.externalId': ['--external-id'],
  'credentials.accessKeyId': ['--access-key-id'],
  'credentials.secretAccessKey': ['the secret on stdin'],
  allowMissingExternalId: ['--allow-missing-external-id'],
  userName: ['--user'],
  secretsMapping: ['--access-key-id-as'],
  'secretsMapping.accessKeyId': ['--access-key-id-as'],
  'secretsMapping.secretAccessKey': ['--secret-access-key-as'],
  rotationIntervalDays: ['--every'],
  rotateAtUtc: ['--at'],
  graceSeconds: ['--grace'],
  quietSeconds: ['--quiet'],
  holdSeconds: ['--hold'],
  'adoptKey.accessKeyId': ['--adopt-key'],
  'adoptKey.secretAccessKey': ['the secret on stdin'],
  accessKeyId: ['--adopt-key'],
  secretAccessKey: ['the secret on stdin'],
  url: ['--url'],
  everySeconds: ['--every'],
  clientId: ['--client-id'],
  token: ['the bearer token'],
  clientSecret: ['the client secret'],
  notifySecret: ['--notify-secret-file'],
  clientCertificate: ['--cert-file'],
  clientKey: ['--key-file'],
  'setSource.url': ['--url'],
  'setSource.everySeconds': ['--every'],
  'setSource.projectId': ['--source-project'],
  'setSource.environment': ['--source-env'],
  'setSource.secretPath': ['--source-path'],
  'setSource.clientId': ['--client-id'],
  'setSource.kind': ['--kind'],
  events: ['--event'],
  format: ['--format'],
  scope: ['--scope'],
  namePattern: ['--name-pattern'],
  projects: ['--project'],
  expiresAt: ['--expires'],
  timeout: ['--timeout'],
};

/**
 * `destinationConfig.path must start …` → `--prefix must start …`, where the command has the flag.
 */
export function withFlag(problem: string, flags: ReadonlySet<string>): string {
  const [path] = /^[a-z]\w*(\.[\w-]+)*/.exec(problem) ?? [];
  if (path === undefined) return problem;
  const parts = path.split('.');
  for (let length = parts.length; length > 0; length -= 1) {
    const flag = flagsOf[parts.slice(0, length).join('.')]?.find((one) => flags.has(one) || !/^[-<]/.test(one));
    if (flag !== undefined) return `${flag}${problem.slice(path.length)}`;
  }
  return problem;
}

/** Fields that messages advise, each written `field: value` or `field`. */
const adviceFlags: Readonly<Record<string, string>> = {
  abandon: '--abandon',
  acceptDestination: '--accept-destination',
  acceptSource: '--accept-source',
  adoptKey: '--adopt-key',
  confirmDeletions: '--confirm-deletions',
  drift: '--drift',
  environment: '--env',
  externalId: '--external-id',
  onExisting: '--on-existing',
  projectId: '--project',
  region: '--region',
  removeSecrets: '--remove-secrets',
  secretPath: '--path',
  skipSync: '--skip-sync',
  tier: '--tier',
  timeout: '--timeout',
};

/** The advice of a message, as the command that carries it out. */
const commandOf: readonly (readonly [RegExp, string])[] = [
  [/\bdelete the sync and abandon (?:them|it)\b/g, 'run `keyferry sync delete` with `abandon: true`'],
  [
    /\brun the source of ([^`]+), (\S+), (\S+) with /g,
    'run `keyferry source run --project $1 --env $2 --path $3` with ',
  ],
  ...['run', 'update', 'delete'].flatMap((verb): readonly (readonly [RegExp, string])[] => [
    [new RegExp(`\\b${verb} the (sync|rotation|connection) with \``, 'g'), `run \`keyferry $1 ${verb}\` with \``],
    [
      new RegExp(`\\b${verb.charAt(0).toUpperCase()}${verb.slice(1)} the (sync|rotation|connection) with \``, 'g'),
      `Run \`keyferry $1 ${verb}\` with \``,
    ],
  ]),
];
const WITH_FIELD = /`(keyferry [^`]+)` with `(\w+(?:: [^`]+)?)`/g;
const FIELD = /`(\w+(?:: [^`]+)?)`/g;

/**
 * A message of the domain, which names fields, for a person at the terminal: ``run the sync with
 * `confirmDeletions: 4` `` → `` run `keyferry sync run api --confirm-deletions 4` ``.
 */
export function inFlags(message: string, of?: Named): string {
  const commands = commandOf
    .reduce((text, [order, command]) => text.replace(order, command), message)
    .replace(WITH_FIELD, (whole: string, command: string, advised: string) => {
      const flag = flagOf(advised);
      return flag === undefined ? whole : `\`${command} ${flag}\``;
    })
    .replace(FIELD, (whole: string, advised: string) => flagOf(advised) ?? whole);
  return of === undefined ? commands : withName(commands, of);
}

/** The same of what may be absent, for a cell of a list. */
export function saidOf(
  kind: Named['kind'],
  { name }: { readonly name: string | null },
  message: string | null,
): string | null {
  return message === null || name === null ? message : inFlags(message, { kind, name });
}

/** `confirmDeletions: 4` → `--confirm-deletions 4`; of what is true, the flag alone. */
function flagOf(advised: string): string | undefined {
  const [field = '', value] = advised.split(': ');
  const flag = adviceFlags[field];
  return flag === undefined || value === undefined || value === 'true' ? flag : `${flag} ${value}`;
}
