/**
 * How the composition root and the library reach AWS: one reading of endpoints, proxy and
 * certificates, judged before the first call.
 */
import { createAwsAccess } from './aws/access.ts';
import { idleScope } from './aws/base-identity.ts';
import { loadCaBundle } from './aws/ca-bundle.ts';
import {
  checkEndpointOverrides,
  findEndpointOverrides,
  findFips,
  loadProfileFiles,
  toServiceEndpoints,
} from './aws/endpoints.ts';
import { checkProxySettings } from './aws/request-handler.ts';
import type { Identity } from './aws/session.ts';
import type { AwsConfig } from './config/config.ts';
import type { DataKeyService } from './domain/data-keys.ts';

/** Throws CONFIG_ENDPOINT_REFUSED, CONFIG_INVALID. */
export async function loadAwsSettings(config: AwsConfig) {
  const { environment } = config;
  const files = await loadProfileFiles(environment);
  const overrides = findEndpointOverrides(environment, files);
  checkEndpointOverrides(overrides, { areCustomAllowed: config.allowCustomEndpoints });
  checkProxySettings(environment);
  const endpoints = toServiceEndpoints(overrides);
  return {
    baseCredentials: config.baseCredentials,
    baseRoleArn: config.baseRoleArn,
    environment,
    region: config.awsRegion,
    endpoints,
    isFips: findFips(environment, files, endpoints),
    caBundle: await loadCaBundle(environment),
  };
}

/** Who the worker itself is at AWS, for commands without a database. */
export async function findBaseIdentity(config: AwsConfig): Promise<Identity> {
  return createAwsAccess(await loadAwsSettings(config)).baseIdentity(idleScope);
}

/** For an application that uses the library: nothing else of AWS is called there. */
export async function openDataKeyService(config: AwsConfig): Promise<DataKeyService> {
  return createAwsAccess(await loadAwsSettings(config)).dataKeys;
}
