/** The sync that stories of an installation begin with: one secret of a folder, as a parameter. */
import type { Keyferry } from '../../../src/index.ts';

export const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };

/**
 * Connects through the role `keyferry` of the account, and returns when the first value is at AWS.
 */
export async function createFirstSync(keyferry: Keyferry, accountId: string): Promise<void> {
  const { connection, requestId } = await keyferry.connections.create({
    name: 'prod-aws',
    region: 'eu-west-1',
    credentials: { method: 'assume-role', roleArn: `arn:aws:iam::${accountId}:role/keyferry` },
  });
  await keyferry.runs.wait(requestId);
  await keyferry.secrets.set(place, { values: { DB_HOST: 'first' } });
  await keyferry.syncs.create({
    name: 'api',
    source: place,
    connection: connection.id,
    destination: 'aws-parameter-store',
    destinationConfig: { region: 'eu-west-1', path: '/shop/prod/' },
  });
  await keyferry.syncs.run('api');
}
