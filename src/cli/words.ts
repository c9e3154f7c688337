/**
 * The first words of the command line, and the file that declares what follows each: only the word
 * that was typed has its file loaded. `keyferry --help` needs none of them.
 */
import type { Command } from 'commander';

interface Word {
  readonly name: string;
  readonly alias?: string;
  readonly description: string;
  /** It runs by itself; the others want a verb. */
  readonly isCommand?: true;
  /** What declares its options, or its verbs. */
  readonly load: () => Promise<(command: Command) => void>;
}

/** In the order of `keyferry --help`. */
export const words: readonly Word[] = [
  {
    name: 'demo',
    description: 'shows the whole main job with an embedded database, queue and AWS sandbox, then cleans up',
    isCommand: true,
    load: async () => (await import('./commands/demo.ts')).addDemo,
  },
  {
    name: 'up',
    description: 'embedded database and queue in ./.keyferry, worker and server in one process, for development',
    isCommand: true,
    load: async () => (await import('./commands/up.ts')).addUp,
  },
  {
    name: 'migrate',
    description: 'bring the database schema up to date',
    isCommand: true,
    load: async () => (await import('./commands/processes.ts')).addMigrate,
  },
  {
    name: 'worker',
    description: 'run jobs until stopped',
    isCommand: true,
    load: async () => (await import('./commands/processes.ts')).addWorker,
  },
  {
    name: 'server',
    description: 'board, health, metrics and API until stopped',
    isCommand: true,
    load: async () => (await import('./commands/processes.ts')).addServer,
  },
  {
    name: 'status',
    description: 'connections, syncs and rotations at a glance, and whether workers are running',
    isCommand: true,
    load: async () => (await import('./commands/processes.ts')).addStatus,
  },
  {
    name: 'doctor',
    description: 'check settings, database, queue and AWS, and say what to do',
    isCommand: true,
    load: async () => (await import('./commands/processes.ts')).addDoctor,
  },
  {
    name: 'connection',
    description: 'how keyferry reaches AWS accounts',
    load: async () => (await import('./commands/connection.ts')).addConnectionCommands,
  },
  {
    name: 'policy',
    description: 'least-privilege IAM policies, as JSON',
    load: async () => (await import('./commands/policy.ts')).addPolicyCommands,
  },
  {
    name: 'secrets',
    description: 'folders of secrets, the source of syncs',
    load: async () => (await import('./commands/secrets.ts')).addSecretsCommands,
  },
  {
    name: 'source',
    description: 'where the secrets of a folder come from',
    load: async () => (await import('./commands/source.ts')).addSourceCommands,
  },
  {
    name: 'sync',
    description: 'what keeps AWS equal to a folder',
    load: async () => (await import('./commands/sync.ts')).addSyncCommands,
  },
  {
    name: 'rotation',
    description: 'access keys of IAM users, replaced on a schedule',
    load: async () => (await import('./commands/rotation.ts')).addRotationCommands,
  },
  {
    name: 'identity',
    description: 'who may log in to the HTTP API',
    load: async () => (await import('./commands/identity.ts')).addIdentityCommands,
  },
  {
    name: 'webhook',
    description: 'who is notified when secrets and keys change',
    load: async () => (await import('./commands/webhook.ts')).addWebhookCommands,
  },
  {
    name: 'runs',
    alias: 'run',
    description: 'what was done, and how it ended',
    load: async () => (await import('./commands/history.ts')).addRunsCommands,
  },
  {
    name: 'folders',
    alias: 'folder',
    description: 'the folders that hold secrets',
    load: async () => (await import('./commands/history.ts')).addFoldersCommands,
  },
  {
    name: 'audit',
    description: 'who changed what by API, command line and library',
    load: async () => (await import('./commands/history.ts')).addAuditCommands,
  },
  {
    name: 'keys',
    description: 'the encryption keys of the database',
    load: async () => (await import('./commands/keys.ts')).addKeysCommands,
  },
  {
    name: 'restore',
    description: 'a database that was moved, restored or copied',
    load: async () => (await import('./commands/restore.ts')).addRestoreCommands,
  },
  {
    name: 'sandbox',
    description: 'run the AWS sandbox on loopback until stopped',
    isCommand: true,
    load: async () => (await import('./commands/sandbox.ts')).addSandbox,
  },
];
