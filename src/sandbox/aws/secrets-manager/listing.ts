/** What listings see of a secret, and when. */
import type { Call } from '../service.ts';
import { drawDelayMs } from '../timing.ts';
import { syncReplicas } from './replicas.ts';
import { toListed, type SecretRecord } from './secret-record.ts';

/**
 * Every change of a secret ends here: it becomes visible to ListSecrets later, and goes to the
 * replicas.
 */
export function noteChange(call: Call, secret: SecretRecord): void {
  secret.changedAt = call.now;
  showInLists(call, secret);
  syncReplicas(call, secret);
}

export function showInLists(call: Call, secret: SecretRecord): void {
  const delayMs = drawDelayMs(call.timing.listSecretsMs, call.random);
  secret.listed.set(toListed(secret), call.now + delayMs);
}
