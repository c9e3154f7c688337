/**
 * Terraform or OpenTofu with Infisical's provider, both as binaries that somebody built: a
 * workspace in a temporary folder.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const binaries = { terraform: process.env['TF_BIN'], provider: process.env['TF_PROVIDER_BIN'] };

export interface Applied {
  readonly code: number;
  readonly output: string;
}

export interface Workspace {
  apply(configuration: string): Promise<Applied>;
  destroy(): Promise<Applied>;
  /** 0: nothing to do; 2: a difference. */
  plan(): Promise<number>;
  /** Ids by the address of the resource. */
  ids(): Promise<Readonly<Record<string, string>>>;
  close(): Promise<void>;
}

interface State {
  readonly values?: {
    readonly root_module: { readonly resources?: readonly { address: string; values: { id: string } }[] };
  };
}

export async function openWorkspace(login: Readonly<Record<string, string>>): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), 'keyferry-terraform-'));
  const { terraform = '', provider = '' } = binaries;
  await copyFile(provider, join(folder, 'terraform-provider-infisical'));
  const overrides = `provider_installation {\n  dev_overrides {\n    "infisical/infisical" = "${folder}"\n  }\n}\n`;
  await writeFile(join(folder, 'rc'), overrides);
  const env = { ...process.env, ...login, TF_CLI_CONFIG_FILE: join(folder, 'rc'), CHECKPOINT_DISABLE: '1' };
  const call = async (...args: readonly string[]): Promise<Applied> => {
    try {
      const { stdout, stderr } = await run(terraform, [...args], { cwd: folder, env, maxBuffer: 64 * 1024 * 1024 });
      return { code: 0, output: `${stdout}${stderr}` };
    } catch (error) {
      const failed = error as { code?: number; stdout?: string; stderr?: string };
      return { code: failed.code ?? 1, output: `${failed.stdout ?? ''}${failed.stderr ?? ''}` };
    }
  };
  return {
    async apply(configuration) {
      await writeFile(join(folder, 'main.tf'), configuration);
      return call('apply', '-auto-approve', '-no-color', '-input=false');
    },
    destroy: () => call('destroy', '-auto-approve', '-no-color', '-input=false'),
    plan: async () => (await call('plan', '-detailed-exitcode', '-no-color', '-input=false')).code,
    async ids() {
      const state = JSON.parse((await call('show', '-json')).output.split('\n')[0] ?? '{}') as State;
      const resources = state.values?.root_module.resources ?? [];
      return Object.fromEntries(resources.map(({ address, values }) => [address, values.id]));
    },
    close: () => rm(folder, { recursive: true }),
  };
}

export interface Configuration {
  readonly url: string;
  readonly roleArn: string;
  readonly description: string;
  readonly project: string;
  readonly tags: Readonly<Record<string, string>> | undefined;
  readonly keySchema: string | undefined;
  readonly kmsKeyId: string | undefined;
  readonly metadataAsTags: boolean;
  readonly prefix: string;
  readonly interval: number;
  readonly rotationRegion: string;
  readonly userName: string;
  /** Undefined: no rotation. */
  readonly withRotation: boolean;
  readonly syncs: number;
}

const optional = (name: string, value: string | undefined) => (value === undefined ? '' : `    ${name} = "${value}"\n`);

function tagsOf({ tags }: Configuration): string {
  if (tags === undefined) return '';
  const list = Object.entries(tags).map(([key, value]) => `{ key = "${key}", value = "${value}" }`);
  return `    tags = [${list.join(', ')}]\n`;
}

function parameterSync(one: Configuration, index: number): string {
  return `
resource "infisical_secret_sync_aws_parameter_store" "p${String(index)}" {
  name          = "parameters-${String(index)}"
  description   = "${one.description}"
  project_id    = "${one.project}"
  environment   = "prod"
  secret_path   = "/api"
  connection_id = infisical_app_connection_aws.role.id
  sync_options = {
    initial_sync_behavior = "overwrite-destination"
    sync_secret_metadata_as_tags = ${String(one.metadataAsTags)}
${optional('key_schema', one.keySchema)}${optional('aws_kms_key_id', one.kmsKeyId)}${tagsOf(one)}  }
  destination_config = {
    aws_region = "eu-west-1"
    path       = "/${one.prefix}/${String(index)}/"
  }
}
`;
}

export function toTerraform(one: Configuration): string {
  const rotation = `
resource "infisical_secret_rotation_aws_iam_user_secret" "deployer" {
  name              = "deployer"
  description       = "${one.description}"
  project_id        = "${one.project}"
  environment       = "prod"
  secret_path       = "/deploy"
  connection_id     = infisical_app_connection_aws.role.id
  rotation_interval = ${String(one.interval)}
  rotate_at_utc     = { hours = 0, minutes = 0 }
  parameters        = { user_name = "${one.userName}", region = "${one.rotationRegion}" }
  secrets_mapping = {
    access_key_id     = "AWS_ACCESS_KEY_ID"
    secret_access_key = "AWS_SECRET_ACCESS_KEY"
  }
}
`;
  return `
terraform {
  required_providers {
    infisical = { source = "infisical/infisical" }
  }
}
provider "infisical" {
  host = "${one.url}"
}
resource "infisical_app_connection_aws" "role" {
  name        = "aws-role"
  description = "${one.description}"
  method      = "assume-role"
  credentials = { role_arn = "${one.roleArn}" }
}
resource "infisical_secret_sync_aws_secrets_manager" "manager" {
  name          = "manager"
  project_id    = "${one.project}"
  environment   = "prod"
  secret_path   = "/api"
  connection_id = infisical_app_connection_aws.role.id
  sync_options = {
    initial_sync_behavior = "overwrite-destination"
    key_schema            = "${one.prefix}_{{secretKey}}"
  }
  destination_config = {
    aws_region       = "eu-west-1"
    mapping_behavior = "one-to-one"
  }
}
${Array.from({ length: one.syncs }, (_, index) => parameterSync(one, index)).join('')}${one.withRotation ? rotation : ''}`;
}
