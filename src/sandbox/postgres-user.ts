/**
 * As whom the embedded PostgreSQL runs, and where its files may lie. The server refuses to run as
 * root, so root hands it to another account that exists already (nothing is added to the system),
 * and that account must be able to reach programs and data.
 */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { JobError } from '../errors.ts';

const run = promisify(execFile);
const ACCOUNTS = ['postgres', 'nobody'];
const GROUP_MAY_PASS = 0o710;
const ALL_MAY_PASS = 0o711;
// macOS gives root a private tmpdir(), which no other account can pass.
const TEMPORARY_PARENT = process.platform === 'darwin' ? '/tmp' : tmpdir();
const PERSISTENT_PARENT = '/var/lib/keyferry';

/** Options of a child process; empty for an ordinary user. */
export interface RuntimeUser {
  readonly uid?: number;
  readonly gid?: number;
}

export async function findRuntimeUser(): Promise<RuntimeUser> {
  if (process.getuid?.() !== 0) return {};
  for (const name of ACCOUNTS) {
    const ids = await findAccount(name);
    if (ids !== undefined) return ids;
  }
  throw new JobError('DB_UNAVAILABLE', {
    message:
      'PostgreSQL does not run as root. Add a system user `postgres`, run as an ordinary user, or set DATABASE_URL.',
  });
}

async function findAccount(name: string): Promise<RuntimeUser | undefined> {
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, name])));
    return { uid: Number(uid?.stdout), gid: Number(gid?.stdout) };
  } catch {
    return undefined;
  }
}

export async function giveTo(user: RuntimeUser, path: string): Promise<void> {
  if (user.uid !== undefined && user.gid !== undefined) await chown(path, user.uid, user.gid);
}

/** The folders on the way to `path`, itself included, that the user cannot pass. */
export async function findClosedFolders(user: RuntimeUser, path: string): Promise<string[]> {
  if (user.uid === undefined) return [];
  const closed: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    if (!(await canPass(user, folder))) closed.push(folder);
    if (folder === dirname(folder)) return closed;
  }
}

async function canPass(user: RuntimeUser, folder: string): Promise<boolean> {
  const { mode, uid, gid } = await stat(folder);
  if (uid === user.uid) return (mode & 0o100) !== 0;
  if (gid === user.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

/**
 * Where data and log go: in `directory` itself, opened for the account's group alone, when only it
 * and its parent are closed; otherwise (a checkout below `/root`) in a folder of our own elsewhere,
 * as loosening the folders of others is not ours to do.
 */
export async function resolveHome(
  user: RuntimeUser,
  { directory, persistent }: { directory: string; persistent: boolean },
): Promise<string> {
  const closed = await findClosedFolders(user, directory);
  const ours = [directory, dirname(directory)];
  if (closed.some((folder) => !ours.includes(folder)))
    return createHome(persistent ? PERSISTENT_PARENT : TEMPORARY_PARENT);
  for (const folder of closed) await openForGroup(user, folder);
  return directory;
}

async function openForGroup(user: RuntimeUser, folder: string): Promise<void> {
  const { uid } = await stat(folder);
  if (user.gid !== undefined) await chown(folder, uid, user.gid);
  await chmod(folder, GROUP_MAY_PASS);
}

async function createHome(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true, mode: ALL_MAY_PASS });
  const home = await mkdtemp(join(parent, 'keyferry-postgres-'));
  await chmod(home, ALL_MAY_PASS);
  return home;
}
