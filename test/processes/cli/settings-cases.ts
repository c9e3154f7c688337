/**
 * Wrong settings, URLs and options: what a person did, and what the program must say. Each ends
 * with exit code 2.
 */

export type Settings = Readonly<Record<string, string>>;
/** What was done, with which settings, and what is said. */
export type SettingCase = readonly [string, Settings, RegExp];

const sha = 'a'.repeat(64);
const KEY = Buffer.alloc(32, 1).toString('base64');

export const settingCases: readonly SettingCase[] = [
  [
    'no database',
    { DATABASE_URL: '' },
    /DATABASE_URL is not set: set it to a PostgreSQL database, or start one .*`keyferry up`/,
  ],
  ['blanks for a database', { DATABASE_URL: '   ' }, /DATABASE_URL must be a URL such as postgres/],
  [
    'a database file that is not there',
    { DATABASE_URL: '', DATABASE_URL_FILE: '/nonexistent/url' },
    /DATABASE_URL_FILE names a file that cannot be read: \/nonexistent\/url/,
  ],
  ['a folder as file', { REDIS_URL_FILE: '/tmp' }, /REDIS_URL_FILE names a file that cannot be read: \/tmp/],
  [
    'an empty file',
    { DATABASE_URL: '', DATABASE_URL_FILE: '/dev/null' },
    /DATABASE_URL_FILE names an empty file: \/dev\/null/,
  ],
  [
    'an empty file of a key',
    { KEYFERRY_ENCRYPTION_KEYS: '', KEYFERRY_ENCRYPTION_KEYS_FILE: '/dev/null' },
    /KEYFERRY_ENCRYPTION_KEYS_FILE names an empty file/,
  ],
  ['a value and a file', { DATABASE_URL_FILE: '/nonexistent' }, /DATABASE_URL and DATABASE_URL_FILE: set only one/],
  [
    'no encryption key',
    { KEYFERRY_ENCRYPTION_KEYS: '' },
    /KEYFERRY_ENCRYPTION_KEYS is not set: make one with `keyferry keys generate`/,
  ],
  [
    'a key without id',
    { KEYFERRY_ENCRYPTION_KEYS: KEY },
    /KEYFERRY_ENCRYPTION_KEYS entry 1 is not `id:base64\(32 bytes\)`/,
  ],
  ['a short key', { KEYFERRY_ENCRYPTION_KEYS: 'k:Y2FuYXJ5' }, /KEYFERRY_ENCRYPTION_KEYS entry 1 is not/],
  ['a wrong second key', { KEYFERRY_ENCRYPTION_KEYS: `k:${KEY},canary` }, /KEYFERRY_ENCRYPTION_KEYS entry 2 is not/],
  [
    'a key id twice',
    { KEYFERRY_ENCRYPTION_KEYS: `k:${KEY},k:${KEY}` },
    /KEYFERRY_ENCRYPTION_KEYS names the same key id twice/,
  ],
  ['only a comma', { KEYFERRY_ENCRYPTION_KEYS: ',' }, /KEYFERRY_ENCRYPTION_KEYS entry 1 is not/],
  [
    'an alias in KMS',
    { KEYFERRY_KMS_KEY_ARN: 'arn:aws:kms:eu-west-1:111122223333:alias/x' },
    /KEYFERRY_KMS_KEY_ARN must be the ARN of a KMS key .*no alias/,
  ],
  [
    'local keys without a key in KMS',
    { KEYFERRY_KMS_KEY_ARN: 'local' },
    /KEYFERRY_KMS_KEY_ARN must be the ARN of a KMS key/,
  ],
  [
    'local keys after a key in KMS',
    { KEYFERRY_KMS_KEY_ARN: 'arn:aws:kms:eu-west-1:111122223333:key/x,local' },
    /KEYFERRY_KMS_KEY_ARN must be the ARN of a KMS key/,
  ],
  [
    'the same key in KMS twice',
    { KEYFERRY_KMS_KEY_ARN: 'local,arn:aws:kms:eu-west-1:111122223333:key/x,arn:aws:kms:eu-west-1:111122223333:key/x' },
    /KEYFERRY_KMS_KEY_ARN names the same key twice/,
  ],
  [
    'half a key pair',
    { INF_APP_CONNECTION_AWS_ACCESS_KEY_ID: 'AKIACANARY' },
    /INF_APP_CONNECTION_AWS_ACCESS_KEY_ID and INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: set both or neither/,
  ],
  ['the other half', { INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY: 'canary' }, /set both or neither/],
  [
    'a misspelt half',
    { INF_APP_CONNECTION_AWS_ACCESS_KEYID: 'AKIACANARY', INF_APP_CONNECTION_AWS_SECRET_ACESS_KEY: 'canary' },
    /INF_APP_CONNECTION_AWS_ACCESS_KEYID is not a setting of keyferry; did you mean INF_APP_CONNECTION_AWS_ACCESS_KEY_ID\?/,
  ],
  [
    'a user as base role',
    { KEYFERRY_BASE_ROLE_ARN: 'arn:aws:iam::111122223333:user/x' },
    /KEYFERRY_BASE_ROLE_ARN must be the ARN of a role/,
  ],
  ['a role name as base role', { KEYFERRY_BASE_ROLE_ARN: 'base' }, /KEYFERRY_BASE_ROLE_ARN must be the ARN of a role/],
  [
    'an unknown partition',
    { KEYFERRY_BASE_ROLE_ARN: 'arn:awz:iam::111122223333:role/x' },
    /KEYFERRY_BASE_ROLE_ARN must be the ARN of a role/,
  ],
  [
    'role names as own roles',
    { KEYFERRY_OWN_ACCOUNT_ROLES: 'app,other' },
    /KEYFERRY_OWN_ACCOUNT_ROLES entry 1 is not the ARN of a role/,
  ],
  [
    'a second own role that is none',
    { KEYFERRY_OWN_ACCOUNT_ROLES: 'arn:aws:iam::111122223333:role/a, x' },
    /KEYFERRY_OWN_ACCOUNT_ROLES entry 2 is not the ARN of a role/,
  ],
  ['an org with a blank', { KEYFERRY_ORG: 'a b' }, /KEYFERRY_ORG must be 2 to 128 letters, digits/],
  ['an org of one letter', { KEYFERRY_ORG: 'a' }, /KEYFERRY_ORG must be 2 to 128/],
  ['a long org', { KEYFERRY_ORG: 'a'.repeat(129) }, /KEYFERRY_ORG must be 2 to 128/],
  ['a name of the installation', { KEYFERRY_INSTALLATION: 'prod/eu' }, /KEYFERRY_INSTALLATION must be 1 to 64 letters/],
  ['a yes', { KEYFERRY_ALLOW_CUSTOM_ENDPOINTS: 'yes' }, /KEYFERRY_ALLOW_CUSTOM_ENDPOINTS must be true or false/],
  ['a one', { KEYFERRY_BOARD_WRITABLE: '1' }, /KEYFERRY_BOARD_WRITABLE must be true or false/],
  ['a misspelt region', { AWS_REGION: 'eu-wst-1' }, /AWS_REGION is not an AWS region; did you mean eu-west-1\?/],
  ['another misspelt region', { AWS_REGION: 'us-esat-1' }, /AWS_REGION is not an AWS region; did you mean us-east-1\?/],
  ['a region in capitals', { AWS_REGION: 'EU-WEST-1' }, /AWS_REGION is not an AWS region; did you mean eu-west-1\?/],
  ['a zone', { AWS_REGION: 'eu-west-1a' }, /AWS_REGION is not an AWS region; did you mean eu-west-1\?/],
  ['a continent', { AWS_REGION: 'europe' }, /AWS_REGION is not an AWS region such as/],
  [
    'no concurrency',
    { KEYFERRY_CONCURRENCY: 'sync=0' },
    /KEYFERRY_CONCURRENCY must be like validate=20,sync=10,rotate=4/,
  ],
  ['concurrency of an unknown queue', { KEYFERRY_CONCURRENCY: 'email=2' }, /KEYFERRY_CONCURRENCY must be like/],
  ['a bare number', { KEYFERRY_CONCURRENCY: '10' }, /KEYFERRY_CONCURRENCY must be like/],
  ['too much concurrency', { KEYFERRY_CONCURRENCY: 'sync=100000' }, /KEYFERRY_CONCURRENCY must be like/],
  [
    'a duration in words',
    { KEYFERRY_REVALIDATE_EVERY: '1 hour' },
    /KEYFERRY_REVALIDATE_EVERY must be a duration such as 90s, 15m, 1h or 7d/,
  ],
  ['a duration without unit', { KEYFERRY_REVALIDATE_EVERY: '60' }, /KEYFERRY_REVALIDATE_EVERY must be a duration/],
  ['no duration', { KEYFERRY_RECONCILE_EVERY: '0s' }, /KEYFERRY_RECONCILE_EVERY must be a duration/],
  ['a negative duration', { KEYFERRY_RECONCILE_EVERY: '-1h' }, /KEYFERRY_RECONCILE_EVERY must be a duration/],
  [
    'a thousandth of a second',
    { KEYFERRY_RECONCILE_EVERY: '0.001s' },
    /KEYFERRY_RECONCILE_EVERY must be between 1s and 3650d/,
  ],
  [
    'a million years',
    { KEYFERRY_REVALIDATE_EVERY: '400000000d' },
    /KEYFERRY_REVALIDATE_EVERY must be between 1s and 3650d/,
  ],
  [
    'a history of a million years',
    { KEYFERRY_KEEP_HISTORY: '400000000d' },
    /KEYFERRY_KEEP_HISTORY must be between 1s and 3650d/,
  ],
  ['a history for ever', { KEYFERRY_KEEP_HISTORY: 'forever' }, /KEYFERRY_KEEP_HISTORY must be a duration/],
  ['a port in words', { KEYFERRY_HTTP_PORT: 'http' }, /KEYFERRY_HTTP_PORT must be a port number/],
  ['a port that is none', { KEYFERRY_HTTP_PORT: '70000' }, /KEYFERRY_HTTP_PORT must be a port number/],
  ['a negative port', { KEYFERRY_WORKER_HTTP_PORT: '-1' }, /KEYFERRY_WORKER_HTTP_PORT must be a port number/],
  [
    'a URL as host',
    { KEYFERRY_HTTP_HOST: 'http://localhost' },
    /KEYFERRY_HTTP_HOST must be the name or address of an interface/,
  ],
  [
    'a port with the host',
    { KEYFERRY_HTTP_HOST: '127.0.0.1:3010' },
    /KEYFERRY_HTTP_HOST must be the name or address of an interface/,
  ],
  [
    'a URL as allowed host',
    { KEYFERRY_HTTP_ALLOWED_HOSTS: 'a.example,https://b.example' },
    /KEYFERRY_HTTP_ALLOWED_HOSTS entry 2 is not a host name/,
  ],
  [
    'a user without password',
    { KEYFERRY_BOARD_USER: 'ann' },
    /KEYFERRY_BOARD_USER and KEYFERRY_BOARD_PASSWORD: set both or neither/,
  ],
  [
    'a password without user',
    { KEYFERRY_BOARD_PASSWORD: 'canary-canary' },
    /KEYFERRY_BOARD_USER and KEYFERRY_BOARD_PASSWORD: set both or neither/,
  ],
  [
    'a short password',
    { KEYFERRY_BOARD_USER: 'ann', KEYFERRY_BOARD_PASSWORD: 'canary' },
    /KEYFERRY_BOARD_PASSWORD must have at least 12 characters/,
  ],
  ['a short token', { KEYFERRY_METRICS_TOKEN: 'canary' }, /KEYFERRY_METRICS_TOKEN must have at least 16 characters/],
  [
    'an API token in clear',
    { KEYFERRY_API_TOKENS: 'acme:ci:canary' },
    /KEYFERRY_API_TOKENS entry 1 is not `org:name:sha256hex/,
  ],
  [
    'an API token of an unknown scope',
    { KEYFERRY_API_TOKENS: `acme:ci:${sha}:root` },
    /KEYFERRY_API_TOKENS entry 1 is not/,
  ],
  [
    'an API token of an org that is no external ID',
    { KEYFERRY_API_TOKENS: `a b:ci:${sha}` },
    /KEYFERRY_API_TOKENS entry 1 is not/,
  ],
  [
    'one API token under two names',
    { KEYFERRY_API_TOKENS: `acme:ci:${sha},other:ops:${sha}:admin` },
    /KEYFERRY_API_TOKENS entry 2 is the token of entry 1: make one for each/,
  ],
  [
    'a check of certificates that is switched off',
    { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    /NODE_TLS_REJECT_UNAUTHORIZED=0 trusts any server as AWS: unset it/,
  ],
  ['a wrong second API token', { KEYFERRY_API_TOKENS: `acme:ci:${sha},x` }, /KEYFERRY_API_TOKENS entry 2 is not/],
  [
    'a webhook without secret',
    { KEYFERRY_WEBHOOK_URL: 'https://h.example' },
    /KEYFERRY_WEBHOOK_URL and KEYFERRY_WEBHOOK_SECRET: set both or neither/,
  ],
  [
    'a webhook that is no URL',
    { KEYFERRY_WEBHOOK_URL: 'h.example', KEYFERRY_WEBHOOK_SECRET: 'canary-canary-canary' },
    /KEYFERRY_WEBHOOK_URL must be an http or https URL/,
  ],
  [
    'a webhook of another kind',
    { KEYFERRY_WEBHOOK_URL: 'ftp://h.example', KEYFERRY_WEBHOOK_SECRET: 'canary-canary-canary' },
    /KEYFERRY_WEBHOOK_URL must be an http or https URL/,
  ],
  [
    'a short webhook secret',
    { KEYFERRY_WEBHOOK_URL: 'https://h.example', KEYFERRY_WEBHOOK_SECRET: 'canary' },
    /KEYFERRY_WEBHOOK_SECRET must have at least 16/,
  ],
  [
    'a log level',
    { KEYFERRY_LOG_LEVEL: 'verbose' },
    /KEYFERRY_LOG_LEVEL must be trace, debug, info, warn, error, fatal or silent/,
  ],
  ['a log level in capitals', { KEYFERRY_LOG_LEVEL: 'INFO' }, /KEYFERRY_LOG_LEVEL must be trace/],
  [
    'a collector that is no URL',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
    /OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL/,
  ],
  [
    'a collector of another kind',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://collector:4317' },
    /OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL/,
  ],
  [
    'a misspelt setting',
    { KEYFERRY_ENCRYPTION_KEY: 'canary' },
    /KEYFERRY_ENCRYPTION_KEY is not a setting of keyferry; did you mean KEYFERRY_ENCRYPTION_KEYS\?/,
  ],
  ['two letters exchanged', { KEYFERRY_CONCURRECNY: 'sync=1' }, /did you mean KEYFERRY_CONCURRENCY\?/],
  ['a missing underscore', { KEYFERRY_HTTPPORT: '1' }, /did you mean KEYFERRY_HTTP_PORT\?/],
  ['a misspelt file', { KEYFERRY_METRICS_TOKEN_FIEL: '/x' }, /did you mean KEYFERRY_METRICS_TOKEN_FILE\?/],
  ['a file for what is no secret', { KEYFERRY_ORG_FILE: '/org' }, /KEYFERRY_ORG_FILE is not a setting of keyferry/],
  [
    'a setting of nothing',
    { KEYFERRY_QUANTUM_MODE: 'canary' },
    /KEYFERRY_QUANTUM_MODE is not a setting of keyferry; unset it/,
  ],
];

const database = (url: string, expected: RegExp): SettingCase => [url, { DATABASE_URL: url }, expected];
const redis = (url: string, expected: RegExp): SettingCase => [url, { REDIS_URL: url }, expected];

export const urlCases: readonly SettingCase[] = [
  database('mysql://canary@h/d', /DATABASE_URL must be a URL such as postgres:\/\/user@host:5432\/name/),
  database('h:5432/d', /DATABASE_URL must be a URL such as postgres/),
  database('postgres://u:canary@h:99999/d', /DATABASE_URL must be a URL such as postgres/),
  database('postgres://u:can/ary@h/d', /special characters of the password are percent-encoded/),
  database('postgres://u:can?ary@h/d', /special characters of the password are percent-encoded/),
  database('postgres://u:can#ary@h/d', /special characters of the password are percent-encoded/),
  database('postgres://u@h1,h2/d', /DATABASE_URL names several hosts; name one that always leads to the primary/),
  database(
    'postgres://h/d?schema=public',
    /parameter schema, which is not supported: keyferry’s tables are always in the schemas/,
  ),
  database('postgres://h/d?application_name=x', /parameter application_name, which is not supported/),
  database('postgres://h/d?connection_limit=5', /parameter connection_limit, which is not supported/),
  database('postgres://h/d?ssl_mode=require', /unknown parameter ssl_mode; did you mean sslmode\?/),
  database('postgres://h/d?sslmod=require', /unknown parameter sslmod; did you mean sslmode\?/),
  database('postgres://h/d?conect_timeout=3', /unknown parameter conect_timeout; did you mean connect_timeout\?/),
  database('postgres://h/d?pool=canary', /unknown parameter pool; remove it|unknown parameter pool/),
  database('postgres://h/d?sslmode=allow', /parameter sslmode with a value that is not supported/),
  database('postgres://h/d?sslmode=verify-ca', /sslmode=verify-ca without sslrootcert/),
  database('postgres://h/d?sslcert=/c', /must have both sslcert and sslkey, or neither/),
  database('postgres://h/d?target_session_attrs=standby', /parameter target_session_attrs with a value/),
  database('postgres://h/d?connect_timeout=0', /parameter connect_timeout with a value/),
  database('postgres://h/d?pgbouncer=true', /the queue in PostgreSQL needs whole sessions: set REDIS_URL/),
  database(
    'postgres://h/d?sslmode=verify-full&sslrootcert=/nonexistent.pem',
    /sslrootcert, whose file cannot be read: \/nonexistent\.pem/,
  ),
  redis('amqp://h', /REDIS_URL must be redis:\/\/host:6379/),
  redis('redis://', /REDIS_URL must be redis/),
  redis('redis://:can/ary@h', /special characters of the password are percent-encoded/),
  redis('redis://:can?ary@h', /special characters of the password are percent-encoded/),
  redis('redis://h?db=1', /REDIS_URL has the unknown parameter db; remove it/),
  redis('redis://h?tls=true', /REDIS_URL has the unknown parameter tls; remove it/),
  redis('redis://h/queue', /REDIS_URL has a path that is no database number/),
  redis('redis://a,rediss://b', /REDIS_URL mixes redis:\/\/ and rediss:\/\//),
  redis('redis://:x@a,redis://:y@b', /REDIS_URL gives the nodes of a cluster different logins/),
  redis('redis://a/1,redis://b/1', /REDIS_URL names a database number; a cluster has none/),
  redis('redis+sentinel://a', /REDIS_URL must be redis/),
  redis('redis://[::1', /REDIS_URL must be redis/),
  redis('unix:///var/run/redis.sock', /REDIS_URL must be redis/),
];

/** A command line, and what is said. */
export type OptionCase = readonly [string, RegExp];

export const optionCases: readonly OptionCase[] = [
  ['worker --queues email', /--queues names email; it takes validate, sync, rotate/],
  [
    'worker --queue sync',
    /`keyferry worker` has no option --queue; did you mean --queues\? Example: `keyferry worker`/,
  ],
  ['sync run', /<name> is missing\. Example: `keyferry sync run api`/],
  ['restore accept --as movd', /--as must be one of moved, restored, clone; did you mean moved\?/],
  ['sandbox create rol x', /not rol; did you mean role\?/],
  ['webhook create ! --url foo --format y', /3 options are wrong[^]*--format must[^]*<name> must[^]*--url must/],
  ['identity create ! --scope rw', /2 options are wrong[^]*--scope must[^]*<name> must/],
  ['sync create --name', /--name needs a value: --name <name>/],
  ['sync list all', /`keyferry sync list` takes no argument, and 1 was given/],
  ['sync delete api --abandon --remove-secrets', /--remove-secrets and --abandon exclude each other/],
  ['connection validate prod --timeout 400000000d', /--timeout must be at most 24d/],
  ['connection validate prod --timeout soon', /--timeout must be a duration such as 90s/],
  ['sync run api --confirm-deletions all', /--confirm-deletions must be the number of deletions that was shown/],
  ['sync import api --prioritize aws', /--prioritize must be one of source, destination/],
  ['policy base-user --partition awz', /--partition must be one of aws-us-gov, aws-cn, .*; did you mean aws\?/],
  ['policy base-user --role-name x:y', /--role-name must be the name of a role/],
  ['policy parameter-store --region eu-wst-1', /--region is not an AWS region; did you mean eu-west-1\?/],
  ['policy parameter-store --account 123', /--account must have 12 digits/],
  ['policy trust --account 1111222233334', /--account must have 12 digits/],
  ['policy access-key-rotation', /--user is missing/],
  [
    'connection create --name a --method assume-role --role-arn arn:aws:iam::111122223333:role/app --region eu-wst-1',
    /did you mean eu-west-1\?/,
  ],
  ['status --org x', /--org .*must be 2 to 128 letters, digits or .* \(it is the external ID\)/],
  ['up --port http', /--port must be a port number/],
  ['sandbox --port 70000', /--port must be a port number/],
  ['sync create --region us-esat-1', /did you mean us-east-1\?/],
  ['connection update prod --region europe', /--region is not an AWS region such as eu-west-1/],
  ['syncs list', /There is no `keyferry syncs`; did you mean `keyferry sync`\?/],
  ['sync lst', /There is no `keyferry sync lst`; did you mean `keyferry sync list`\?/],
];
