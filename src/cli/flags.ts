/**
 * What the client says of its fields, as a person at the terminal knows them: by the flags of the
 * command. Pure.
 */

/** By the longest path that fits; the first flag that the command has is meant. */
const flagsOf: Readonly<Record<string, readonly string[]>> = {
  name: ['--rename', '--name', '<name>'],
  description: ['--description'],
  connection: ['--connection'],
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
  events: ['--event'],
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
