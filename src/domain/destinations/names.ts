/**
 * What a sync can write to, by name. A new kind starts here: the compiler then names every record that lacks it. Imports
 * nothing.
 */
export const kindIds = ['parameter-store', 'secrets-manager', 'json-secret'] as const;
export type KindId = (typeof kindIds)[number];

/**
 * As rows, API and library name a destination. Two kinds may share one: `mappingBehavior` in its config then tells which
 * is meant. The order is that of messages and of the OpenAPI document.
 */
export const destinationNames = ['aws-secrets-manager', 'aws-parameter-store'] as const;
export type DestinationName = (typeof destinationNames)[number];

/** As AWS names the services that the kinds write to; part of an object's place. */
export type DestinationService = 'ssm' | 'secretsmanager';
