/**
 * What Infisical's Terraform provider (e64b1b7) sends, as recorded; only ids and names are filled
 * in.
 */

export const place = { projectId: 'shop', environment: 'prod', secretPath: '/api' };

export const roleConnection = (name: string) => ({
  App: 'aws',
  description: 'by role',
  method: 'assume-role',
  name,
  credentials: { roleArn: 'arn:aws:iam::444455556666:role/keyferry' },
});

export const parameterStoreSync = (name: string, connectionId: string) => ({
  App: 'aws-parameter-store',
  name,
  projectId: 'shop',
  connectionId,
  environment: 'prod',
  secretPath: '/api',
  isAutoSyncEnabled: true,
  description: '',
  syncOptions: {
    disableSecretDeletion: false,
    initialSyncBehavior: 'overwrite-destination',
    keySchema: '',
    syncSecretMetadataAsTags: false,
    tags: [{ key: 'team', value: 'shop' }],
  },
  destinationConfig: { path: `/${name}/prod/`, region: 'eu-west-1' },
});

export const secretsManagerSync = (name: string, connectionId: string) => ({
  ...parameterStoreSync(name, connectionId),
  App: 'aws-secrets-manager',
  syncOptions: {
    disableSecretDeletion: false,
    initialSyncBehavior: 'overwrite-destination',
    keySchema: `${name}_{{secretKey}}`,
    keyId: 'alias/shop',
    syncSecretMetadataAsTags: true,
  },
  destinationConfig: { mappingBehavior: 'one-to-one', region: 'eu-west-1', secretName: '' },
});

export const iamUserRotation = (name: string, connectionId: string) => ({
  Provider: 'aws-iam-user-secret',
  name,
  description: '',
  isAutoRotationEnabled: true,
  projectId: 'shop',
  connectionId,
  environment: 'prod',
  secretPath: `/${name}`,
  rotationInterval: 30,
  rotateAtUtc: { hours: 0, minutes: 0 },
  parameters: { region: 'eu-west-1', userName: name },
  secretsMapping: { accessKeyId: 'AWS_ACCESS_KEY_ID', secretAccessKey: 'AWS_SECRET_ACCESS_KEY' },
});
