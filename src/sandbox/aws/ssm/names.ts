/** Parameter names: what may be one, how requests refer to one. */
import { AwsError } from '../aws-error.ts';
import type { Call } from '../service.ts';
import type { ParameterRecord } from './parameter-record.ts';

const MAX_LEVELS = 15;
/** Counted with the ARN in front of the name. */
const MAX_ARN_LENGTH = 1_011;

const NAME = /^\/?[\w.-]+$|^(\/[\w.-]+)+$/;
const NAME_TEXT =
  'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_';

const invalid = (message: string): AwsError => new AwsError('ValidationException', message);

/** At the root `/name` and `name` are one parameter; this is how the model keys it. */
export function canonicalName(name: string): string {
  return name.lastIndexOf('/') === 0 ? name.slice(1) : name;
}

/** How an answer about one parameter names it. */
export function shownName(call: Call, record: ParameterRecord, requested: string): string {
  return call.behaviour.rootParameterName === 'as-requested' ? requested : canonicalName(record.name);
}

export function parameterArn(call: Call, name: string): string {
  const prefix = `arn:${call.partition.name}:ssm:${call.region}:${call.account.accountId}:parameter`;
  return name.startsWith('/') ? prefix + name : `${prefix}/${name}`;
}

/**
 * The name under which a parameter is created: spaces around it are dropped, everything else must
 * be right.
 */
export function parseNewName(call: Call, given: string): string {
  const name = given.trim();
  if (name.includes('/') && !name.startsWith('/')) throw invalid('Parameter name must be a fully qualified name.');
  checkReserved(name);
  if (!NAME.test(name)) throw invalid(NAME_TEXT);
  if (name.split('/').filter(Boolean).length > MAX_LEVELS) {
    throw new AwsError(
      'HierarchyLevelLimitExceededException',
      `A hierarchy can have a maximum of ${String(MAX_LEVELS)} levels. For more information, see Requirements and constraints for parameter names in the AWS Systems Manager User Guide.`,
    );
  }
  if (parameterArn(call, name).length > MAX_ARN_LENGTH) {
    throw invalid(
      `Parameter name can't be longer than ${String(MAX_ARN_LENGTH)} characters, including the ARN that precedes it.`,
    );
  }
  return name;
}

function checkReserved(name: string): void {
  const start = name.replace(/^\//, '').toLowerCase();
  const isPath = name.indexOf('/', 1) > 0;
  if (start.startsWith('aws') && name.startsWith('/') && isPath) {
    throw new AwsError('AccessDeniedException', `No access to reserved parameter name: ${name}.`);
  }
  if (!start.startsWith('aws') && !start.startsWith('ssm')) return;
  throw invalid(isPath ? NAME_TEXT : 'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).');
}

export interface ParameterReference {
  /** As the request wrote it. */
  readonly text: string;
  readonly name: string;
  /** A version number or a label. */
  readonly selector: string | undefined;
}

/** `name`, `name:version`, `name:label`, each also with an ARN for the name. */
export function parseReference(call: Call, text: string): ParameterReference {
  const trimmed = text.trim();
  const arn = trimmed.startsWith('arn:') && /^(arn:[^:]+:ssm:[^:]*:\d{12}:parameter)(\/[^:]+)(?::(.+))?$/.exec(trimmed);
  if (arn) {
    const [, prefix = '', path = '', selector] = arn;
    const own = parameterArn(call, '/').slice(0, -1) === prefix;
    // Another account's parameter would have to be shared with this one; the sandbox knows no
    // sharing.
    return { text, name: own ? path : trimmed, selector };
  }
  const [name = '', selector, ...rest] = trimmed.split(':');
  if (rest.length > 0 || name === '') {
    throw invalid(
      'Invalid parameter name. Please use correct syntax for referencing a version/label  <name>:<version/label>',
    );
  }
  // A name that no parameter can have is refused without a search.
  if (!NAME.test(name)) throw invalid(NAME_TEXT);
  return { text, name, selector };
}

export function findParameter(call: Call, name: string): ParameterRecord | undefined {
  return call.regionState.parameters.get(canonicalName(name));
}
