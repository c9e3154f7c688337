/**
 * The record of every call: who did what, with which parameters (never values), and how it ended.
 */
import type { ServiceName } from './service.ts';

export interface CallRecord {
  readonly service: ServiceName;
  readonly operation: string;
  /** undefined: the credentials were refused. */
  readonly principalArn: string | undefined;
  /** The caller's account. */
  readonly accountId: string | undefined;
  readonly accessKeyId: string;
  readonly region: string;
  /** Without the members that the service model marks sensitive. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** 'ok', 'drop-before', 'drop-after' (it took effect, the answer was lost), or the error code. */
  readonly outcome: string;
  /** From the SDK's amz-sdk-request header; 1 when absent. */
  readonly attempt: number;
  /** The same for all attempts of one SDK call. */
  readonly invocationId: string | undefined;
  readonly at: Date;
}

export interface CallFilter {
  readonly service?: ServiceName;
  readonly operation?: string;
  readonly accountId?: string;
  readonly region?: string;
  readonly principalArn?: string;
  readonly outcome?: string;
}

export interface CallLog {
  list(filter?: CallFilter): readonly CallRecord[];
  count(filter?: CallFilter): number;
  /** `{ 'ssm.PutParameter': 3 }`, every attempt counted. */
  byOperation(filter?: CallFilter): Record<string, number>;
  clear(): void;
}

export interface WritableCallLog extends CallLog {
  add(record: CallRecord): void;
}

export function createCallLog(limit: number): WritableCallLog {
  let records: CallRecord[] = [];
  const list = (filter?: CallFilter): CallRecord[] =>
    filter ? records.filter((r) => matches(r, filter)) : [...records];
  return {
    add: (record) => {
      records.push(record);
      // The oldest tenth goes at once, so that a long-running sandbox does not shift the array on
      // every call.
      if (records.length > limit) records = records.slice(Math.ceil(limit / 10));
    },
    list,
    count: (filter) => (filter ? list(filter).length : records.length),
    byOperation: (filter) => {
      const counts: Record<string, number> = {};
      for (const { service, operation } of list(filter)) {
        const name = `${service}.${operation}`;
        counts[name] = (counts[name] ?? 0) + 1;
      }
      return counts;
    },
    clear: () => {
      records = [];
    },
  };
}

function matches(record: CallRecord, filter: CallFilter): boolean {
  return (Object.keys(filter) as (keyof CallFilter)[]).every(
    (key) => filter[key] === undefined || filter[key] === record[key],
  );
}
