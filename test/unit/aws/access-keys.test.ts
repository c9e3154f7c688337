import { expect, it } from 'vitest';

import { createAwsAccess } from '../../../src/aws/access.ts';
import { createAccessKeys } from '../../../src/aws/access-keys.ts';
import { callerIdentityIs, createScope, createScriptedAws } from './scripted-aws.ts';

const now = new Date('2026-01-02T03:04:05Z');

function keysThatAnswer(body: string) {
  const aws = createScriptedAws((request) =>
    request.operation === 'sts.GetCallerIdentity' ? callerIdentityIs('arn:aws:iam::111122223333:user/robot') : { body },
  );
  const access = createAwsAccess({
    baseCredentials: { accessKeyId: 'AKIABASE000000000001', secretAccessKey: 'not-a-secret' },
    region: 'eu-west-1',
    requestHandler: aws.requestHandler,
  });
  const session = access.keySession({
    accessKeyId: 'AKIAEXAMPLE000000001',
    secretAccessKey: 'not-a-secret',
    region: 'eu-west-1',
    scope: createScope(),
  });
  return { aws, keys: createAccessKeys(session, 'robot') };
}

const list = (content: string) =>
  `<ListAccessKeysResponse><ListAccessKeysResult>${content}</ListAccessKeysResult></ListAccessKeysResponse>`;
const member = (status: string, created = '<CreateDate>2025-01-01T00:00:00Z</CreateDate>') =>
  `<member><UserName>robot</UserName><AccessKeyId>AKIAEXAMPLE000000001</AccessKeyId><Status>${status}</Status>${created}</member>`;
const metadata = (content: string) => `<AccessKeyMetadata>${content}</AccessKeyMetadata>`;
const lastUsed = (content: string) =>
  `<GetAccessKeyLastUsedResponse><GetAccessKeyLastUsedResult><UserName>robot</UserName>${content}</GetAccessKeyLastUsedResult></GetAccessKeyLastUsedResponse>`;

it.each([
  ['no list at all', list('<IsTruncated>false</IsTruncated>')],
  ['a key without a creation date', list(metadata(member('Active', '')))],
  ['a status that is unknown', list(metadata(member('Expired')))],
  ['a truncated page without a marker', list(`${metadata(member('Active'))}<IsTruncated>true</IsTruncated>`)],
  ['pages without an end', list(`${metadata('')}<IsTruncated>true</IsTruncated><Marker>again</Marker>`)],
])('a key list with %s is an error, not fewer keys', async (_name, body) => {
  const { keys, aws } = keysThatAnswer(body);

  await expect(keys.list(now)).rejects.toMatchObject({ code: 'AWS_UNREACHABLE' });
  expect(aws.sent.length).toBeLessThanOrEqual(10);
});

it('reads an empty list, and a list of two', async () => {
  const empty = await keysThatAnswer(list(`${metadata('')}<IsTruncated>false</IsTruncated>`)).keys.list(now);
  const two = await keysThatAnswer(list(metadata(`${member('Active')}${member('Inactive')}`))).keys.list(now);

  expect(empty.keys).toEqual([]);
  expect(two.keys.map((key) => key.isActive)).toEqual([true, false]);
});

it.each([
  ['no last use at all', lastUsed('')],
  [
    'a service but no date',
    lastUsed('<AccessKeyLastUsed><ServiceName>s3</ServiceName><Region>eu-west-1</Region></AccessKeyLastUsed>'),
  ],
])('an answer about the last use with %s does not mean that the key was never used', async (_name, body) => {
  await expect(keysThatAnswer(body).keys.lastUsed('AKIAEXAMPLE000000001')).rejects.toMatchObject({
    code: 'AWS_UNREACHABLE',
  });
});

it('a key that AWS reports without a date and with N/A was never used', async () => {
  const body = lastUsed('<AccessKeyLastUsed><ServiceName>N/A</ServiceName><Region>N/A</Region></AccessKeyLastUsed>');

  expect(await keysThatAnswer(body).keys.lastUsed('AKIAEXAMPLE000000001')).toBe('never');
});
