/** SSM Parameter Store. */
import { AwsError } from '../aws-error.ts';
import { defineOperation, type Call, type OperationTable } from '../service.ts';
import { toEpochSeconds } from '../wire/json-protocol.ts';
import { parameterNeed } from './access.ts';
import { canonicalName, findParameter, shownName } from './names.ts';
import { PUT_PARAMETER } from './put-parameter.ts';
import { DESCRIBE_PARAMETERS, GET_PARAMETER, GET_PARAMETERS, GET_PARAMETERS_BY_PATH } from './read-parameters.ts';
import { ADD_TAGS_TO_RESOURCE, LIST_TAGS_FOR_RESOURCE, REMOVE_TAGS_FROM_RESOURCE } from './tags.ts';
import { GET_PARAMETER_HISTORY, LABEL_PARAMETER_VERSION, UNLABEL_PARAMETER_VERSION } from './versions.ts';

/** Settings that exist, with their defaults. */
const SERVICE_SETTINGS: Readonly<Record<string, string>> = {
  '/ssm/parameter-store/high-throughput-enabled': 'false',
  '/ssm/parameter-store/default-parameter-tier': 'Standard',
};

export const SSM_OPERATIONS: OperationTable = {
  PutParameter: PUT_PARAMETER,
  GetParameter: GET_PARAMETER,
  GetParameters: GET_PARAMETERS,
  GetParametersByPath: GET_PARAMETERS_BY_PATH,
  DescribeParameters: DESCRIBE_PARAMETERS,
  DeleteParameter: defineOperation<{ Name: string }>({
    access: (call, input) => [parameterNeed(call, input.Name, { action: 'ssm:DeleteParameter' })],
    exclusive: (input) => canonicalName(input.Name),
    run: (call, input) => {
      if (deleteParameter(call, input.Name) === undefined) throw new AwsError('ParameterNotFound', '');
      return {};
    },
  }),
  DeleteParameters: defineOperation<{ Names: readonly string[] }>({
    access: (call, input) => input.Names.map((name) => parameterNeed(call, name, { action: 'ssm:DeleteParameters' })),
    run: (call, input) => {
      const deleted: string[] = [];
      const invalid: string[] = [];
      for (const name of new Set(input.Names)) {
        const shown = deleteParameter(call, name);
        if (shown === undefined) invalid.push(name);
        else deleted.push(shown);
      }
      return { DeletedParameters: deleted, InvalidParameters: invalid };
    },
  }),
  AddTagsToResource: ADD_TAGS_TO_RESOURCE,
  RemoveTagsFromResource: REMOVE_TAGS_FROM_RESOURCE,
  ListTagsForResource: LIST_TAGS_FOR_RESOURCE,
  GetParameterHistory: GET_PARAMETER_HISTORY,
  LabelParameterVersion: LABEL_PARAMETER_VERSION,
  UnlabelParameterVersion: UNLABEL_PARAMETER_VERSION,
  GetServiceSetting: defineOperation<{ SettingId: string }>({
    access: (call, input) => [{ action: 'ssm:GetServiceSetting', resource: settingArn(call, input.SettingId) }],
    run: (call, input) => ({ ServiceSetting: readSetting(call, input.SettingId) }),
  }),
};

/** Returns the name to show, or undefined when there is no such parameter. */
function deleteParameter(call: Call, name: string): string | undefined {
  const record = findParameter(call, name);
  if (!record) return undefined;
  const key = canonicalName(name);
  call.regionState.parameters.delete(key);
  if (call.timing.parameterRecreateMs > 0) {
    call.regionState.deletedParameters.set(key, call.now + call.timing.parameterRecreateMs);
  }
  return shownName(call, record, name);
}

function settingArn(call: Call, settingId: string): string {
  return `arn:${call.partition.name}:ssm:${call.region}:${call.account.accountId}:servicesetting${settingId}`;
}

function readSetting(call: Call, settingId: string): object {
  const standard = SERVICE_SETTINGS[settingId];
  if (standard === undefined) {
    throw new AwsError(
      'ServiceSettingNotFound',
      `Setting ${settingId} not found. Ensure it is available for this Region.`,
    );
  }
  const own = call.regionState.serviceSettings.get(settingId);
  return {
    SettingId: settingId,
    SettingValue: own ?? standard,
    LastModifiedDate: toEpochSeconds(call.now),
    LastModifiedUser: 'System',
    ARN: settingArn(call, settingId),
    Status: own === undefined ? 'Default' : 'Customized',
  };
}
