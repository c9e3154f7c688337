/**
 * What a request asks for: the service from the credential scope, the operation from its protocol.
 */
import { AwsError } from '../aws-error.ts';
import { findPartition, type Partition } from '../regions.ts';
import { parseJsonBody } from './json-protocol.ts';
import { parseFormBody, toQueryInput } from './query-protocol.ts';
import type { SandboxRequest } from './request.ts';
import { SERVICE_MODELS, type OperationModel, type ServiceModel } from './service-model.ts';
import { readSignature, signatureError, type Protocol, type SignatureClaim } from './signature.ts';

export interface Route {
  readonly model: OperationModel;
  readonly claim: SignatureClaim;
  readonly partition: Partition;
  /** Reads the body; throws AwsError when it cannot be read. */
  readonly readInput: () => unknown;
}

/** For requests that cannot be routed: JSON when they look like it, else query. */
export function guessProtocol(request: SandboxRequest): Protocol {
  return request.headers['x-amz-target'] !== undefined || request.headers['content-type']?.includes('json') === true
    ? 'json'
    : 'query';
}

export function routeRequest(request: SandboxRequest): Route {
  const protocol = guessProtocol(request);
  const claim = readSignature(request.headers);
  if (!claim) {
    throw request.headers['authorization'] === undefined
      ? signatureError(protocol, 'missing', 'Request is missing Authentication Token')
      : signatureError(
          protocol,
          'incomplete',
          'Authorization header requires Credential, SignedHeaders and Signature in the form of AWS4-HMAC-SHA256.',
        );
  }
  const partition = findPartition(claim.region);
  if (!partition)
    throw signatureError(protocol, 'mismatch', `Credential should be scoped to a valid region, not '${claim.region}'.`);
  const service = SERVICE_MODELS.get(claim.service);
  if (!service)
    throw signatureError(
      protocol,
      'mismatch',
      `Credential should be scoped to correct service: '${claim.service}' is none that the sandbox knows.`,
    );
  const scope: Scope = { claim, service, partition };
  checkScope(request, scope);
  if (request.method !== 'POST' || request.path !== '/') throw unknownOperation(service, request.path);
  return service.protocol === 'json' ? routeJson(request, scope) : routeQuery(request, scope);
}

/** What the credential scope says. */
interface Scope {
  readonly claim: SignatureClaim;
  readonly service: ServiceModel;
  readonly partition: Partition;
}

/**
 * IAM accepts requests signed for its partition's IAM region only, whatever the host. Real host
 * names must fit the scope of the other services too; a loopback address serves all of them in
 * every region.
 */
function checkScope(request: SandboxRequest, { claim, service, partition }: Scope): void {
  const [name = '', second] = realHost(request)?.split('.') ?? [service.name, claim.region];
  if (name !== service.name) {
    throw signatureError(service.protocol, 'mismatch', `Credential should be scoped to correct service: '${name}'.`);
  }
  const region = service.name === 'iam' ? partition.iamRegion : second;
  if (region === claim.region) return;
  const text = `Credential should be scoped to a valid region, not '${claim.region}'.`;
  throw signatureError(service.protocol, 'mismatch', text);
}

function realHost(request: SandboxRequest): string | undefined {
  const host = request.headers['host'] ?? '';
  return /\.amazonaws\.(com(\.cn)?|eu)(:|$)/.test(host) ? host : undefined;
}

function routeJson(request: SandboxRequest, { claim, service, partition }: Scope): Route {
  const target = request.headers['x-amz-target'] ?? '';
  const dot = target.lastIndexOf('.');
  const isOwn = target.slice(0, dot) === service.targetPrefix;
  const model = isOwn ? service.operations.get(target.slice(dot + 1)) : undefined;
  if (!model) throw unknownOperation(service, target);
  return { model, claim, partition, readInput: () => parseJsonBody(request.body) };
}

function routeQuery(request: SandboxRequest, { claim, service, partition }: Scope): Route {
  const form = parseFormBody(request.body);
  const action = form.get('Action') ?? '';
  const version = form.get('Version') ?? 'NO_VERSION_SPECIFIED';
  const model = version === service.apiVersion ? service.operations.get(action) : undefined;
  if (!model) throw unknownOperation(service, `${action} for version ${version}`);
  return { model, claim, partition, readInput: () => toQueryInput(model, form) };
}

function unknownOperation(service: ServiceModel, what: string): AwsError {
  if (service.protocol === 'json') return new AwsError('UnknownOperationException', '');
  return new AwsError('InvalidAction', `Could not find operation ${what}`);
}
