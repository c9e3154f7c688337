/** What the rest of keyferry (the demo, `keyferry sandbox`, tests) may use of the AWS sandbox. */
export type { CallFilter, CallLog, CallRecord } from './calls.ts';
export { createSandboxClock, type SandboxClock } from './clock.ts';
export { connectAwsSandbox, type RemoteAwsSandbox } from './connect.ts';
export type { FaultAction, FaultMatch, FaultRule, Faults, FaultTarget } from './faults.ts';
export type {
  CreatedAccessKey,
  CreateKmsKeyInput,
  CreateRoleInput,
  CreateUserInput,
  NamedRole,
  NamedUser,
  PolicyInput,
  SandboxFixtures,
} from './fixtures.ts';
export type { ForeignEdits, ForeignParameter, ForeignSecret } from './foreign.ts';
export type {
  InspectedAccessKey,
  InspectedParameter,
  InspectedSecret,
  RegionAddress,
  SandboxInspection,
} from './inspect.ts';
export type { PolicyDocument, PolicyStatement } from './policy/document.ts';
export type { QuotaBucket, QuotaOption, QuotaPreset, QuotaSettings } from './quotas.ts';
export { createSandboxRequestHandler, type SandboxRequestHandler } from './request-handler.ts';
export { createAwsSandbox, type AwsSandbox, type AwsSandboxOptions } from './sandbox.ts';
export { startAwsSandboxServer, type AwsSandboxServer, type AwsSandboxServerOptions } from './server.ts';
export type { DelayRange, SandboxTiming, TimingOption } from './timing.ts';
export type { SandboxAnswer, SandboxRequest, SandboxResponse } from './wire/request.ts';
