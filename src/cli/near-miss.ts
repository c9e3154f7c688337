/** A name that does not exist, and the one that was probably meant. */
import { nearest } from '../domain/nearest.ts';
import { type ErrorCode, JobError } from '../errors.ts';
import type { ExitCode } from './exit.ts';
import type { Client } from '../client/types/client.ts';

interface Named {
  readonly client: Client;
  readonly invocation: { readonly args: readonly string[]; readonly options: Readonly<Record<string, unknown>> };
}

type Names = (client: Client) => Promise<readonly { readonly name: string }[]>;

const namesOf: Readonly<Partial<Record<ErrorCode, Names>>> = {
  CONNECTION_NOT_FOUND: ({ connections }) => connections.list(),
  SYNC_NOT_FOUND: ({ syncs }) => syncs.list(),
  KEY_ROTATION_NOT_FOUND: ({ rotations }) => rotations.list(),
  WEBHOOK_NOT_FOUND: ({ webhooks }) => webhooks.list(),
};

/** Rejects as the work does, with the near miss added where there is one. */
export async function withNearMiss(work: Promise<ExitCode>, { client, invocation }: Named): Promise<ExitCode> {
  try {
    return await work;
  } catch (error) {
    const list = error instanceof JobError ? namesOf[error.code] : undefined;
    if (list === undefined || !(error instanceof JobError)) throw error;
    const known = (await list(client)).map(({ name }) => name);
    const given = [...invocation.args, invocation.options.connection].filter((one) => typeof one === 'string');
    const meant = given.filter((one) => !known.includes(one)).map((one) => nearest(one, known));
    const found = meant.find((one) => one !== undefined);
    if (found === undefined) throw error;
    throw new JobError(error.code, { message: `${error.publicMessage} Did you mean ${found}?`, cause: error });
  }
}
