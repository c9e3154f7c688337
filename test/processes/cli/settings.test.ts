/**
 * Settings, URLs and options that are wrong, as a person meets them: what is wrong and what to do,
 * exit code 2, and no part of a secret.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type CommandHost, startCommandHost } from '../../support/command-host.ts';
import { cleanEnvironment } from '../../support/environment.ts';
import { optionCases, settingCases, type Settings, urlCases } from './settings-cases.ts';

const right = {
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
  KEYFERRY_ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 1).toString('base64')}`,
};
let host: CommandHost;
beforeAll(() => {
  host = startCommandHost(cleanEnvironment());
});
afterAll(() => host.stop());

const keyferry = (line: string, settings: Settings = {}) =>
  host.run({ args: line.split(' '), environment: cleanEnvironment({ ...right, ...settings }) });

describe.each([
  ['a setting', settingCases],
  ['a URL', urlCases],
] as const)('%s that is wrong', (_kind, cases) => {
  it.each(cases)('%s', async (_name, settings, expected) => {
    const { code, stdout, stderr } = await keyferry('worker', settings);
    expect(stderr).toMatch(expected);
    expect(stderr).toContain('[CONFIG_INVALID]');
    expect(code).toBe(2);
    expect(stdout + stderr).not.toMatch(/canary|CANARY|can[/?#]ary|ary@/);
  });
});

describe('an option that is wrong', () => {
  it.each(optionCases)('keyferry %s', async (line, expected) => {
    const { code, stderr } = await keyferry(line);
    expect(stderr).toMatch(expected);
    expect(code).toBe(2);
  });
});

it('all settings that are wrong are told at once, also as JSON', async () => {
  const settings = { KEYFERRY_HTTP_PORT: 'x', KEYFERRY_LOGLEVEL: 'x', AWS_REGION: 'x', DATABASE_URL: 'canary' };
  const { code, stdout, stderr } = await keyferry('status --json', settings);
  const { error } = JSON.parse(stdout) as { error: { code: string; problems: string[] } };
  expect([code, error.code, error.problems.length]).toEqual([2, 'CONFIG_INVALID', 4]);
  expect(stderr).toContain('4 settings are wrong.');
  expect(stdout + stderr).not.toContain('canary');
});

it('there are at least 120 of them', () => {
  expect(settingCases.length + urlCases.length + optionCases.length).toBeGreaterThanOrEqual(120);
});
