/**
 * Of one Redis user for workers and servers: keys under the queues' prefix, and nothing that
 * administers the server.
 */
import { QUEUE_PREFIX } from './settings.ts';

export const redisStatements: readonly string[] = [
  `ACL SETUSER keyferry on >PASSWORD resetkeys ~${QUEUE_PREFIX}:* resetchannels -@all +@connection +@read +@write +@scripting +@transaction -@dangerous +info +client|list +wait`,
];
