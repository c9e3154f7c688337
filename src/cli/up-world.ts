/**
 * What `up --sandbox` prints about the AWS account it made: what is there, and the next commands,
 * ready to paste.
 */
import { fields } from './output.ts';

export interface UpWorld {
  readonly accountId: string;
  readonly region: string;
  /** Trusts this org. */
  readonly roleArn: string;
  /** For a rotation. */
  readonly iamUser: string;
  readonly accessKeyId: string;
  readonly secretAccessKeyFile: string;
}

export function describeWorld(world: UpWorld): string {
  const facts = fields([
    ['AWS account', `${world.accountId}, region ${world.region}`],
    ['role', `${world.roleArn}  (trusts this org)`],
    ['IAM user', `${world.iamUser}  (for \`rotation create --user\`)`],
    ['access key', `${world.accessKeyId}  (its secret: ${world.secretAccessKeyFile})`],
  ]);
  return `${facts}\n\nNext, in another terminal and in this folder:\n\n${nextCommands(world)
    .map((command) => `  ${command}`)
    .join('\n')}\n\n# More roles, users and keys: npx keyferry sandbox create --help\n`;
}

/** Each fits one line of its own, so that it survives being pasted. */
function nextCommands({ region, roleArn }: UpWorld): readonly string[] {
  const folder = '--project demo --env dev --path /app';
  return [
    `npx keyferry connection create --name first --method assume-role --role-arn ${roleArn}`,
    `echo 'GREETING=hello' | npx keyferry secrets set ${folder}`,
    `npx keyferry sync create --name app --connection first ${folder} --to parameter-store --region ${region} --prefix /demo/app/`,
    'npx keyferry sync run app',
    'npx keyferry status',
  ];
}
