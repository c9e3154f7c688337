/** Secrets Manager. */
import type { OperationTable } from '../service.ts';
import { DELETE_SECRET, RESTORE_SECRET } from './delete-secrets.ts';
import { DESCRIBE_SECRET, LIST_SECRETS } from './list-secrets.ts';
import { BATCH_GET_SECRET_VALUE, GET_SECRET_VALUE, LIST_SECRET_VERSION_IDS } from './read-secrets.ts';
import { REMOVE_REGIONS_FROM_REPLICATION, REPLICATE_SECRET_TO_REGIONS } from './replicate-secrets.ts';
import { TAG_RESOURCE, UNTAG_RESOURCE } from './tags.ts';
import { VALIDATE_RESOURCE_POLICY } from './validate-policy.ts';
import { UPDATE_SECRET_VERSION_STAGE } from './version-stages.ts';
import { CREATE_SECRET, PUT_SECRET_VALUE, UPDATE_SECRET } from './write-secrets.ts';

export const SECRETS_MANAGER_OPERATIONS: OperationTable = {
  CreateSecret: CREATE_SECRET,
  PutSecretValue: PUT_SECRET_VALUE,
  UpdateSecret: UPDATE_SECRET,
  UpdateSecretVersionStage: UPDATE_SECRET_VERSION_STAGE,
  GetSecretValue: GET_SECRET_VALUE,
  BatchGetSecretValue: BATCH_GET_SECRET_VALUE,
  ListSecrets: LIST_SECRETS,
  ListSecretVersionIds: LIST_SECRET_VERSION_IDS,
  DescribeSecret: DESCRIBE_SECRET,
  DeleteSecret: DELETE_SECRET,
  RestoreSecret: RESTORE_SECRET,
  TagResource: TAG_RESOURCE,
  UntagResource: UNTAG_RESOURCE,
  ReplicateSecretToRegions: REPLICATE_SECRET_TO_REGIONS,
  RemoveRegionsFromReplication: REMOVE_REGIONS_FROM_REPLICATION,
  ValidateResourcePolicy: VALIDATE_RESOURCE_POLICY,
};
