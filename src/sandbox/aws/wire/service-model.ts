/**
 * The official service model, as far as it goes: which operations exist, which fields they take and
 * which rules those obey. The table is derived from botocore (Apache-2.0); what AWS enforces beyond
 * it is listed with each operation.
 */
import constraints from '../aws-constraints.json' with { type: 'json' };
import { SERVICE_NAMES, type ServiceName } from '../service.ts';
import { compileStructure, type FieldCheck } from './field-rules.ts';
import type { Shapes } from './shapes.ts';

export interface OperationModel {
  readonly name: string;
  readonly service: ServiceModel;
  readonly inputShape: string | undefined;
  readonly check: FieldCheck;
  /** Members that the call record leaves out. */
  readonly sensitiveMembers: readonly string[];
  /** Codes that the model lists, as they are on the wire. */
  readonly errorCodes: readonly string[];
  readonly resultWrapper: string | undefined;
}

export interface ServiceModel {
  readonly name: ServiceName;
  readonly protocol: 'json' | 'query';
  /** `AmazonSSM`: the part before the operation in X-Amz-Target. */
  readonly targetPrefix: string | undefined;
  readonly apiVersion: string;
  readonly xmlNamespace: string | undefined;
  readonly shapes: Shapes;
  readonly operations: ReadonlyMap<string, OperationModel>;
  /** Wire code → HTTP status, for the codes of the model. */
  readonly statusByCode: ReadonlyMap<string, number>;
}

interface RawService {
  meta: { protocol: string; targetPrefix: string | null; apiVersion: string; xmlNamespace: string | null };
  operations: Record<
    string,
    { input?: string; wrapper?: string; errors: Record<string, { code?: string; httpStatusCode?: number }> }
  >;
  shapes: Shapes;
}

const TABLE_NAMES: Readonly<Record<ServiceName, string>> = {
  sts: 'STS',
  iam: 'IAM',
  ssm: 'SSM',
  secretsmanager: 'Secrets Manager',
  kms: 'KMS',
};

function readService(name: ServiceName): ServiceModel {
  const raw = (constraints as unknown as Record<string, RawService>)[TABLE_NAMES[name]];
  if (!raw) throw new Error(`aws-constraints.json has no service ${TABLE_NAMES[name]}`);
  const operations = new Map<string, OperationModel>();
  const service: ServiceModel = {
    name,
    protocol: raw.meta.protocol === 'query' ? 'query' : 'json',
    targetPrefix: raw.meta.targetPrefix ?? undefined,
    apiVersion: raw.meta.apiVersion,
    xmlNamespace: raw.meta.xmlNamespace ?? undefined,
    shapes: raw.shapes,
    operations,
    statusByCode: readStatuses(raw),
  };
  for (const [operationName, operation] of Object.entries(raw.operations)) {
    operations.set(operationName, toOperationModel(service, operationName, operation));
  }
  return service;
}

function toOperationModel(service: ServiceModel, name: string, raw: RawService['operations'][string]): OperationModel {
  const shape = raw.input === undefined ? undefined : service.shapes[raw.input];
  const members = Object.entries(shape?.members ?? {});
  return {
    name,
    service,
    inputShape: raw.input,
    check: compileStructure(service.shapes, raw.input),
    sensitiveMembers: members.filter(([, m]) => service.shapes[m.shape]?.sensitive === true).map(([member]) => member),
    errorCodes: Object.entries(raw.errors).map(([shapeName, error]) => error.code ?? shapeName),
    resultWrapper: raw.wrapper,
  };
}

function readStatuses(raw: RawService): ReadonlyMap<string, number> {
  const statuses = new Map<string, number>();
  for (const operation of Object.values(raw.operations)) {
    for (const [shapeName, error] of Object.entries(operation.errors)) {
      if (error.httpStatusCode) statuses.set(error.code ?? shapeName, error.httpStatusCode);
    }
  }
  return statuses;
}

export const SERVICE_MODELS: ReadonlyMap<string, ServiceModel> = new Map(
  SERVICE_NAMES.map((name) => [name, readService(name)]),
);
