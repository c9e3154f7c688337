/**
 * What `--help` shows below the options: commands to paste. A test demands at least one for every
 * command, and that each parses.
 */
import type { Command } from 'commander';

const folder = '--project shop --env prod --path /api';

/** By the command without `keyferry`. */
export const examples: Readonly<Record<string, readonly string[]>> = {
  demo: ['keyferry demo'],
  up: ['keyferry up --sandbox', 'keyferry up --port 3011'],
  migrate: ['keyferry migrate --plan', 'keyferry migrate'],
  worker: ['keyferry worker', 'keyferry worker --queues sync,rotate'],
  server: ['keyferry server'],
  status: ['keyferry status', 'keyferry status --exit-code --org acme'],
  doctor: ['keyferry doctor', 'keyferry doctor --role worker'],
  'connection create': [
    'keyferry connection create --name prod --method assume-role --role-arn arn:aws:iam::111122223333:role/keyferry',
    'keyferry connection create --name prod --method access-key --access-key-id AKIA… < secret-access-key',
  ],
  'connection update': [
    'keyferry connection update prod --role-arn arn:aws:iam::111122223333:role/keyferry-2',
    'keyferry connection update prod --region eu-central-1',
  ],
  'connection validate': ['keyferry connection validate prod'],
  'connection show': ['keyferry connection show prod'],
  'connection list': ['keyferry connection list'],
  'connection delete': ['keyferry connection delete prod --yes'],
  'policy base-user': ["keyferry policy base-user --role-name 'keyferry*' --key-age"],
  'policy parameter-store': [
    'keyferry policy parameter-store --account 111122223333 --region eu-west-1 --path /shop/prod/',
  ],
  'policy secrets-manager': [
    'keyferry policy secrets-manager --account 111122223333 --region eu-west-1 --secret-prefix shop/',
  ],
  'policy access-key-rotation': ['keyferry policy access-key-rotation --account 111122223333 --user deployer'],
  'policy trust': ['keyferry policy trust --org acme'],
  'policy servers': ['keyferry policy servers | psql "$ADMIN_URL"'],
  'secrets set': [
    `keyferry secrets set ${folder} < .env`,
    `keyferry secrets set ${folder} --file secrets.json --replace`,
  ],
  'secrets list': [`keyferry secrets list ${folder}`],
  'secrets unset': [`keyferry secrets unset DB_USER DB_HOST ${folder}`],
  'source set': [
    `keyferry source set ${folder} --kind http --url https://config.example.com/api.env --secret-file token`,
    `keyferry source set ${folder} --kind infisical --source-project 0f6c… --source-env prod --client-id 4d1e… < secret`,
  ],
  'source run': [`keyferry source run ${folder} --confirm-deletions 12`],
  'source show': [`keyferry source show ${folder}`],
  'source unset': [`keyferry source unset ${folder}`],
  'sync create': [
    `keyferry sync create --name api --connection prod ${folder} --to parameter-store --region eu-west-1 --prefix /shop/prod/ --preview`,
    `keyferry sync create --name api-json --connection prod ${folder} --to secrets-manager --region eu-west-1 --mapping many-to-one --secret-name shop/api --paused`,
  ],
  'sync update': [
    'keyferry sync update api --drift repair --tag team=shop',
    'keyferry sync update api --rename shop-api',
  ],
  'sync run': [
    'keyferry sync run api',
    'keyferry sync run api --confirm-deletions 12',
    'keyferry sync run api --no-wait',
  ],
  'sync check': ['keyferry sync check api'],
  'sync remove': ['keyferry sync remove api --yes'],
  'sync import': ['keyferry sync import api --prioritize destination'],
  'sync plan': ['keyferry sync plan api', 'keyferry sync plan api --exit-code'],
  'sync show': ['keyferry sync show api', 'keyferry sync show api --json'],
  'sync list': ['keyferry sync list'],
  'sync pause': ['keyferry sync pause api'],
  'sync resume': ['keyferry sync resume api'],
  'sync cancel': ['keyferry sync cancel api'],
  'sync delete': ['keyferry sync delete api --remove-secrets', 'keyferry sync delete api --abandon --yes'],
  'rotation create': [
    'keyferry rotation create --name deployer --connection prod --user deployer --project shop --env prod --path /deploy --access-key-id-as AWS_ACCESS_KEY_ID --secret-access-key-as AWS_SECRET_ACCESS_KEY --every 30d',
  ],
  'rotation update': ['keyferry rotation update deployer --every 60d'],
  'rotation run': ['keyferry rotation run deployer'],
  'rotation pause': ['keyferry rotation pause deployer'],
  'rotation resume': ['keyferry rotation resume deployer'],
  'rotation cancel': ['keyferry rotation cancel deployer'],
  'rotation reactivate': ['keyferry rotation reactivate deployer'],
  'rotation show': ['keyferry rotation show deployer'],
  'rotation list': ['keyferry rotation list'],
  'rotation delete': ['keyferry rotation delete deployer'],
  'identity create': ['keyferry identity create ci --scope write --project shop --expires 2027-01-31'],
  'identity list': ['keyferry identity list'],
  'identity rotate-secret': ['keyferry identity rotate-secret ci'],
  'identity revoke': ['keyferry identity revoke ci --yes'],
  'webhook create': [
    "keyferry webhook create shop --url https://shop.example.com/keyferry --event sync.changed --name-pattern 'prod-*'",
  ],
  'webhook list': ['keyferry webhook list'],
  'webhook show': ['keyferry webhook show shop'],
  'webhook test': ['keyferry webhook test shop'],
  'webhook replay': ['keyferry webhook replay shop'],
  'webhook delete': ['keyferry webhook delete shop --yes'],
  'runs list': ['keyferry runs list api --limit 5', 'keyferry runs list --status failed --json'],
  'folders list': ['keyferry folders list --project shop'],
  'audit list': ['keyferry audit list --limit 100'],
  'keys generate': ['keyferry keys generate', 'keyferry keys generate --operator ann'],
  'keys check': ['keyferry keys check'],
  'keys rewrap': ['keyferry keys rewrap'],
  'restore status': ['keyferry restore status'],
  'restore accept': [
    'keyferry restore accept --as restored',
    'keyferry restore accept --as clone --name staging --confirm 3f2a91c4',
  ],
  'sandbox create': ['keyferry sandbox create role deploy', 'keyferry sandbox create access-key --user robot'],
};

/** Below every command that has examples. */
export function addExamples(command: Command, path: readonly string[] = []): void {
  const lines = examples[path.join(' ')];
  if (lines !== undefined) {
    const title = lines.length === 1 ? 'Example' : 'Examples';
    command.addHelpText('after', `\n${title}:\n${lines.map((line) => `  ${line}`).join('\n')}`);
  }
  for (const one of command.commands) addExamples(one, [...path, one.name()]);
}
