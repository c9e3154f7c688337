/**
 * Deletes what runs left at AWS, by name and IAM path and by nothing else: at the end of a run, and
 * with `--sweep` after a crash.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import {
  DeleteSecretCommand,
  DescribeSecretCommand,
  RemoveRegionsFromReplicationCommand,
  ResourceNotFoundException,
} from '@aws-sdk/client-secrets-manager';
import { DeleteParametersCommand } from '@aws-sdk/client-ssm';

import type { Clients } from '../contract/target.ts';
import type { People } from './people.ts';
import { parameterNames, secretNames } from './preflight.ts';

export interface SweepInput {
  readonly clients: Clients;
  readonly people: People;
  /** Of one run, or of all of them. */
  readonly prefix: string;
  readonly iamPath: string;
}

export interface Swept {
  readonly parameters: number;
  readonly secrets: number;
  readonly identities: number;
}

/**
 * AWS lists a new secret up to five minutes late. Where lists lag, looks once more after that, so
 * that nothing of the run's last minutes stays.
 */
export async function sweepTwice({ listLagMs, ...input }: SweepInput & { readonly listLagMs: number }): Promise<Swept> {
  const first = await sweep(input);
  if (listLagMs === 0) return first;
  await sleep(listLagMs);
  const late = await sweep(input);
  return {
    parameters: first.parameters + late.parameters,
    secrets: first.secrets + late.secrets,
    identities: first.identities + late.identities,
  };
}

export async function sweep({ clients, people, prefix, iamPath }: SweepInput): Promise<Swept> {
  const identities = await people.sweep(iamPath);
  const secrets = await secretNames(clients.secrets, prefix);
  for (const name of secrets) await deleteSecret(clients.secrets, name);
  const parameters = await parameterNames(clients.ssm, prefix);
  for (let start = 0; start < parameters.length; start += 10)
    await clients.ssm.send(new DeleteParametersCommand({ Names: parameters.slice(start, start + 10) }));
  return { parameters: parameters.length, secrets: secrets.length, identities };
}

async function deleteSecret(secrets: Clients['secrets'], SecretId: string): Promise<void> {
  const described = await secrets.send(new DescribeSecretCommand({ SecretId })).catch((error: unknown) => {
    // Gone, although the list still shows it.
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  });
  if (described === undefined || described.DeletedDate !== undefined) return;
  const { ReplicationStatus = [] } = described;
  const RemoveReplicaRegions = ReplicationStatus.flatMap(({ Region }) => (Region === undefined ? [] : [Region]));
  if (RemoveReplicaRegions.length > 0)
    await secrets.send(new RemoveRegionsFromReplicationCommand({ SecretId, RemoveReplicaRegions }));
  await secrets.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }));
}
