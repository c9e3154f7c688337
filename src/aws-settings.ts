/**
 * How the composition root and the library reach AWS: one reading of endpoints, proxy and
 * certificates, judged before the first call.
 */
import { createAwsAccess } from './aws/access.ts';
import { loadCaBundle } from './aws/ca-bundle.ts';
import {
  checkEndpointOverrides,
  findEndpointOverrides,
  findFips,
  loadProfileFiles,
  toServiceEndpoints,
} from './aws/endpoints.ts';
import { checkProxySettings } from './aws/request-handler.ts';
import type { Config } from './config/config.ts';
import type { DataKeyService } from './domain/data-keys.ts';

/** Throws CONFIG_ENDPOINT_REFUSED, CONFIG_INVALID. */
export async function loadAwsSettings(config: Config) {
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

/** For an application that uses the library: nothing else of AWS is called there. */
export async function openDataKeyService(config: Config): Promise<DataKeyService> {
  return createAwsAccess(await loadAwsSettings(config)).dataKeys;
}
