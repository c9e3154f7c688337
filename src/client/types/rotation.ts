/**
 * `client.rotations`: access keys of IAM users, replaced on a schedule and published into a folder.
 */
import type { AdoptedKeyPair, KnownKey, RotationStep, RotationWish } from '../../domain/rotation/records.ts';
import type { FolderPath } from './folder.ts';
import type { RunRecord, WaitOptions } from './run.ts';
import type { Subject, UpdateOptions } from './subject.ts';

/** A time of day in UTC. */
export interface TimeOfDay {
  /** 0 to 23. */
  readonly hours: number;
  /** 0 to 59. */
  readonly minutes: number;
}

/** The keys of the two secrets that a pair is published as. */
export interface SecretsMapping {
  /** Key of the secret that holds the access key's id. */
  readonly accessKeyId: string;
  /** Key of the secret that holds the secret access key. */
  readonly secretAccessKey: string;
}

/** A rotation of one IAM user, without its keys' secrets. */
export interface Rotation extends Subject {
  /** The connection whose account the user is in. */
  readonly connectionId: string;
  /** The folder that pairs are published into. */
  readonly folderId: string;
  /** Name of the IAM user, without its path. */
  readonly userName: string;
  /** AWS's id of the user; null until the first run has seen it. */
  readonly userId: string | null;
  /** 12 digits; null until the first run. */
  readonly accountId: string | null;
  /** The secrets that a pair is published as. */
  readonly secretsMapping: SecretsMapping;
  /** Days from rotation to rotation. */
  readonly rotationIntervalDays: number;
  /** When on its day a scheduled rotation begins. */
  readonly rotateAtUtc: TimeOfDay;
  /** Given back to clients that send one; IAM is global. */
  readonly region: string | null;
  /** Whether a key is taken over that a deleted rotation of another folder left. */
  readonly onExisting: 'fail' | 'adopt';
  /** The same as `graceSeconds`, as an interval of PostgreSQL. */
  readonly grace: string;
  /** How long the old key stays active at least, in seconds. */
  readonly graceSeconds: number;
  /** How long the old key must show no use, in seconds. */
  readonly quietSeconds: number;
  /** How long the old key stays inactive before it is deleted, in seconds. */
  readonly holdSeconds: number;
  /** Without it only a request rotates. */
  readonly isAutoRotationEnabled: boolean;
  /** Where the cycle is: `idle`, or one of the phases of docs/rotation.md. */
  readonly phase: string;
  /** When the phase began. */
  readonly phaseEnteredAt: Date;
  /** `blocked`: it waits until somebody removes the cause. */
  readonly rotationStatus: 'pending' | 'running' | 'succeeded' | 'failed' | 'blocked';
  /** Id of the key that is published; null before the first. */
  readonly activeAccessKeyId: string | null;
  /** When a key was last published. */
  readonly lastRotatedAt: Date | null;
  /** When the schedule rotates next; null without one. */
  readonly nextRotationAt: Date | null;
  /** Null: it is not paused. */
  readonly pausedAt: Date | null;
  /** When it last compared itself with AWS after a restore. */
  readonly comparedAt: Date | null;
}

/** What `create` answers: the rotation as recorded. */
export interface CreatedRotation extends Rotation {
  /**
   * Of its first run, for `runs.wait`: the key published, or, with an adopted one, the user's keys
   * listed.
   */
  readonly requestId: string;
}

/** What may change while a rotation lives; a field that is left out stays as it is. */
interface RotationFields {
  /** At most 256 characters; null: none. */
  readonly description?: string | null | undefined;
  /** When on its day a scheduled rotation begins. Default of a new one: 00:00. */
  readonly rotateAtUtc?: TimeOfDay | undefined;
  /** How long the old key stays active at least; 0 to 365 days. Default of a new one: 86,400. */
  readonly graceSeconds?: number | undefined;
  /**
   * How long the old key must show no use; less than four hours proves little. Default of a new
   * one: 86,400.
   */
  readonly quietSeconds?: number | undefined;
  /**
   * How long the old key stays inactive before it is deleted. Default of a new one: 604,800 (7
   * days).
   */
  readonly holdSeconds?: number | undefined;
  /** Default of a new one: true. */
  readonly isAutoRotationEnabled?: boolean | undefined;
  /** Given back as it is; IAM is global, so nothing uses it. */
  readonly region?: string | null | undefined;
  /**
   * `adopt`: a key that a deleted rotation of another folder of this org left for the same user is
   * taken over. Default: `fail`.
   */
  readonly onExisting?: 'fail' | 'adopt' | undefined;
}

/** A rotation to be. */
export interface CreateRotation extends RotationFields {
  /** 1 to 256 letters, digits or `. _ -`; unique in the org's project. */
  readonly name: string;
  /** Name or id of the connection to the user's account. */
  readonly connection: string;
  /** The folder that the pair is published into; it is made if it is not there. */
  readonly target: FolderPath;
  /** Name of the IAM user, without its path; at most 64 characters. */
  readonly userName: string;
  /** The secrets that a pair is published as: two different keys. */
  readonly secretsMapping: SecretsMapping;
  /** 1 to 3,650. */
  readonly rotationIntervalDays: number;
  /**
   * The key that consumers hold today: it is replaced at the first rotation, and nothing changes
   * for them before.
   */
  readonly adoptKey?: AdoptedKeyPair | undefined;
}

/** What changes; a field that is left out stays as it is. */
export interface UpdateRotation extends RotationFields {
  /** 1 to 256 letters, digits or `. _ -`; unique in the org's project. */
  readonly name?: string | undefined;
  /** Name or id of another connection to the same account. */
  readonly connection?: string | undefined;
  /** 1 to 3,650. */
  readonly rotationIntervalDays?: number | undefined;
}

/** Options of a rotation that is run now. */
export type RunRotation = RotationWish & WaitOptions;

/** Throws KEY_ROTATION_NOT_FOUND where an id or a name is given that the org does not have. */
export interface RotationsClient {
  /**
   * Records a rotation; its first run makes the first key. Throws CONNECTION_NOT_FOUND,
   * KEY_ROTATION_NAME_TAKEN, KEY_USER_TAKEN, SECRET_MANAGED, PAYLOAD_INVALID.
   */
  create(input: CreateRotation): Promise<CreatedRotation>;
  /** The rotation of this id or name. */
  get(idOrName: string): Promise<Rotation>;
  /** All rotations of the org. */
  list(): Promise<readonly Rotation[]>;
  /** Keys by state, without their secrets. */
  keys(idOrName: string): Promise<readonly KnownKey[]>;
  /** Every persisted step, oldest first. */
  timeline(idOrName: string, limit?: number): Promise<readonly RotationStep[]>;
  /** Nothing when nothing is given. Throws PAYLOAD_STALE, PAYLOAD_INVALID. */
  update(idOrName: string, input: UpdateRotation, options?: UpdateOptions): Promise<Rotation>;
  /** Records the wish for a rotation now; returns the request's id. */
  request(idOrName: string, wish?: RotationWish): Promise<string>;
  /**
   * Rotates now and waits until the new key is published and confirmed; the old one is retired
   * later. Throws QUEUE_TIMEOUT.
   */
  run(idOrName: string, options?: RunRotation): Promise<RunRecord>;
  /** Stops at the next safe point; keys stay as they are. */
  pause(idOrName: string): Promise<Rotation>;
  /** Ends the pause. */
  resume(idOrName: string): Promise<Rotation>;
  /**
   * Before the publication: the new key goes, the old one stays. Returns the request's id when a
   * cycle was under way.
   */
  cancel(idOrName: string): Promise<string | undefined>;
  /** During the hold: brings the old key back. Returns the request's id. */
  reactivate(idOrName: string): Promise<string>;
  /** Deletes every key of this rotation at AWS and pauses it. Returns the request's id. */
  revokeKeys(idOrName: string): Promise<string>;
  /** Takes a pair for the key that consumers hold, and continues with its publication. */
  adoptKey(idOrName: string, pair: AdoptedKeyPair): Promise<Rotation>;
  /** Keys at AWS stay; `secrets` says what becomes of the two in the folder: `keep` by default. */
  delete(idOrName: string, secrets?: 'keep' | 'remove'): Promise<void>;
}
