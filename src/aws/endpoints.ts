/**
 * Endpoint settings of the AWS SDK (environment and profile): found, checked, and handed to the
 * clients explicitly, which are configured to ignore any others. An endpoint receives signed
 * requests and secret values, so one that is neither AWS nor this machine stops the process.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';

import { loadSharedConfigFiles } from '@smithy/core/config';

import { isAwsHost } from '../domain/partitions.ts';
import { isLoopback } from '../domain/servers/loopback.ts';
import { hostsOf } from '../domain/servers/url-hosts.ts';
import { JobError } from '../errors.ts';
import { type AwsService, awsServices, endpointNames } from './services.ts';

export type EndpointEnvironment = Readonly<Record<string, string | undefined>>;
type Sections = Readonly<Record<string, Readonly<Record<string, string | undefined>> | undefined>>;

export interface ProfileFiles {
  readonly configFile: Sections;
  readonly credentialsFile: Sections;
}

export interface EndpointOverride {
  /** The variable or profile setting that says so. */
  readonly source: string;
  /** `all`, a service that keyferry uses, or another that the credential chain may call. */
  readonly service: string;
  readonly url: string;
}

/** Reads the shared files where `env` says they are; a missing file is empty. */
export async function loadProfileFiles(env: EndpointEnvironment): Promise<ProfileFiles> {
  const home = env.HOME ?? homedir();
  return loadSharedConfigFiles({
    configFilepath: env.AWS_CONFIG_FILE ?? join(home, '.aws', 'config'),
    filepath: env.AWS_SHARED_CREDENTIALS_FILE ?? join(home, '.aws', 'credentials'),
    // Each composition reads the files as they are now.
    ignoreCache: true,
  });
}

/** Every endpoint that the SDK would use besides AWS's own, in its order of precedence. */
export function findEndpointOverrides(env: EndpointEnvironment, files: ProfileFiles): readonly EndpointOverride[] {
  const profileName = env.AWS_PROFILE ?? 'default';
  const profile = { ...files.credentialsFile[profileName], ...files.configFile[profileName] };
  const ignored = env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS ?? profile.ignore_configured_endpoint_urls;
  if (ignored?.toLowerCase() === 'true') return [];
  return [...fromEnvironment(env), ...fromProfile(profileName, profile, files)];
}

function fromEnvironment(env: EndpointEnvironment): readonly EndpointOverride[] {
  const prefix = 'AWS_ENDPOINT_URL';
  return Object.entries(env)
    .filter(
      ([name, value]) => (name === prefix || name.startsWith(`${prefix}_`)) && value !== undefined && value !== '',
    )
    .map(([name, value]) => ({ source: name, service: serviceOf(name.slice(prefix.length + 1)), url: value ?? '' }));
}

function fromProfile(
  name: string,
  profile: Readonly<Record<string, string | undefined>>,
  files: ProfileFiles,
): readonly EndpointOverride[] {
  const found: EndpointOverride[] = [];
  const services = profile.services === undefined ? {} : (files.configFile[`services.${profile.services}`] ?? {});
  for (const [key, url] of Object.entries(services)) {
    if (!key.endsWith('.endpoint_url') || !url) continue;
    const service = key.slice(0, -'.endpoint_url'.length);
    found.push({
      source: `services section ${profile.services ?? ''}: ${service} endpoint_url`,
      service: serviceOf(service),
      url,
    });
  }
  if (profile.endpoint_url)
    found.push({ source: `profile ${name}: endpoint_url`, service: 'all', url: profile.endpoint_url });
  return found;
}

function serviceOf(name: string): string {
  if (name === '') return 'all';
  return awsServices.find((service) => endpointNames[service] === name.toUpperCase()) ?? name.toLowerCase();
}

/**
 * Whether AWS is called by its FIPS endpoints, as the SDK reads it: the environment, else the
 * profile. Throws CONFIG_INVALID for a value that is neither true nor false, and together with an
 * endpoint for a service that keyferry uses, since the SDK then refuses each call.
 */
export function findFips(
  env: EndpointEnvironment,
  files: ProfileFiles,
  endpoints: Readonly<Partial<Record<AwsService, string>>>,
): boolean {
  const setting = fipsSetting(env, files);
  if (setting === undefined || setting.value === 'false') return false;
  if (setting.value !== 'true')
    throw new JobError('CONFIG_INVALID', { message: `${setting.source} must be true or false.` });
  const [service] = awsServices.filter((one) => endpoints[one] !== undefined);
  if (service !== undefined)
    throw new JobError('CONFIG_INVALID', {
      message: `${setting.source} asks for AWS’s FIPS endpoints, but another endpoint is set for ${service}: unset one of them.`,
    });
  return true;
}

function fipsSetting(env: EndpointEnvironment, files: ProfileFiles) {
  const profileName = env.AWS_PROFILE ?? 'default';
  const inProfile = (files.configFile[profileName] ?? {}).use_fips_endpoint;
  if (env.AWS_USE_FIPS_ENDPOINT !== undefined && env.AWS_USE_FIPS_ENDPOINT !== '')
    return { source: 'AWS_USE_FIPS_ENDPOINT', value: env.AWS_USE_FIPS_ENDPOINT };
  return inProfile === undefined
    ? undefined
    : { source: `profile ${profileName}: use_fips_endpoint`, value: inProfile };
}

/**
 * Throws CONFIG_ENDPOINT_REFUSED for the first endpoint that is neither AWS nor this machine;
 * `isAllowed` is the operator's permission.
 */
export function checkEndpointOverrides(
  overrides: readonly EndpointOverride[],
  options: { readonly areCustomAllowed: boolean },
): void {
  for (const { source, url } of overrides) {
    const fault = endpointFault(url);
    if (fault === undefined || (fault.isCustom && options.areCustomAllowed)) continue;
    const remedy = fault.isCustom
      ? 'Unset it, or set KEYFERRY_ALLOW_CUSTOM_ENDPOINTS=true if you trust it.'
      : 'Correct or unset it.';
    throw new JobError('CONFIG_ENDPOINT_REFUSED', {
      message: `${source} ${fault.text}. ${remedy}`,
      context: { setting: source },
    });
  }
}

interface EndpointFault {
  readonly text: string;
  /** True when the operator may want exactly this. */
  readonly isCustom: boolean;
}

function endpointFault(text: string): EndpointFault | undefined {
  if (!URL.canParse(text)) return { text: 'is not a URL', isCustom: false };
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return { text: 'is neither http nor https', isCustom: false };
  if (url.username !== '' || url.password !== '' || hostsOf(text) === undefined)
    return { text: 'carries credentials', isCustom: false };
  if (isLoopback(url.hostname)) return undefined;
  if (!isServiceHost(url.hostname))
    return { text: `points to ${url.host}, which is neither AWS nor this machine`, isCustom: true };
  return url.protocol === 'http:' ? { text: `points to ${url.host} without TLS`, isCustom: true } : undefined;
}

/** Names under AWS's domains that any customer can point at their own server. */
const customerHost =
  /(^|\.)(elb|compute(-\d+)?|execute-api|s3([.-][a-z0-9-]+)?|elasticbeanstalk|awsapprunner|rds|es|iot|mq|cache|redshift|elasticmapreduce)(\.|$)/;

function isServiceHost(host: string): boolean {
  return isAwsHost(host) && !customerHost.test(host);
}

/**
 * The endpoint of each client: a service's own setting before the general one, the environment
 * before the profile.
 */
export function toServiceEndpoints(
  overrides: readonly EndpointOverride[],
): Readonly<Partial<Record<AwsService, string>>> {
  const isVariable = (one: EndpointOverride) => one.source.startsWith('AWS_');
  const ordered = [...overrides.filter(isVariable), ...overrides.filter((one) => !isVariable(one))];
  const chosen: Partial<Record<AwsService, string>> = {};
  for (const service of awsServices) {
    const variable =
      ordered.find((one) => isVariable(one) && one.service === service) ??
      ordered.find((one) => isVariable(one) && one.service === 'all');
    const setting =
      variable ?? ordered.find((one) => one.service === service) ?? ordered.find((one) => one.service === 'all');
    if (setting) chosen[service] = setting.url;
  }
  return chosen;
}
