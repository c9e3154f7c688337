/** Which permissions SSM operations need, and the context keys that policies can look at. */
import { tagContext } from '../authorize.ts';
import type { AccessNeed, Call } from '../service.ts';
import { findParameter, parameterArn, parseReference } from './names.ts';

export function parameterNeed(call: Call, name: string, wanted: Pick<AccessNeed, 'action' | 'context'>): AccessNeed {
  const tags = findParameter(call, name)?.tags;
  const resourceTags =
    tags === undefined ? {} : { ...tagContext('aws:resourcetag', tags), ...tagContext('ssm:resourcetag', tags) };
  return { action: wanted.action, resource: parameterArn(call, name), context: { ...resourceTags, ...wanted.context } };
}

/** For operations whose names may carry a selector or be ARNs. */
export function referenceNeeds(call: Call, action: string, references: readonly string[]): readonly AccessNeed[] {
  return references.map((text) => {
    const { name } = parseReference(call, text);
    if (!name.startsWith('arn:')) return parameterNeed(call, name, { action });
    return { action, resource: name };
  });
}

/** For operations that list the account's parameters. */
export function accountNeed(call: Call, action: string): AccessNeed {
  return { action, resource: `arn:${call.partition.name}:ssm:${call.region}:${call.account.accountId}:*` };
}
