/** What the rest of keyferry (the demo, `keyferry sandbox`, tests) may use of the AWS sandbox. */
export type { BehaviourOption, SandboxBehaviour } from './behaviour.ts';
export type { CallFilter, CallRecord } from './calls.ts';
export { createSandboxClock, type SandboxClock } from './clock.ts';
export { connectAwsSandbox, type RemoteAwsSandbox } from './connect.ts';
export type { FaultAction, FaultRule } from './faults.ts';
export type { PolicyDocument, PolicyStatement } from './policy/document.ts';
export type { QuotaOption } from './quotas.ts';
export { createSandboxRequestHandler, type SandboxRequestHandler } from './request-handler.ts';
export { createAwsSandbox, type AwsSandbox, type AwsSandboxOptions } from './sandbox.ts';
export { startAwsSandboxServer, type AwsSandboxServer, type AwsSandboxServerOptions } from './server.ts';
export type { TimingOption, TimingPreset } from './timing.ts';
export type { SandboxAnswer, SandboxRequest, SandboxResponse } from './wire/request.ts';
