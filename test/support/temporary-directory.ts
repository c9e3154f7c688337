/**
 * Folders for tests, in the system's folder for temporary files. They are gone when the test file
 * is over, however it ends.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const created: string[] = [];

/** `name`: what it is for, as its first words. */
export async function createTemporaryDirectory(name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `keyferry-${name}-`));
  created.push(directory);
  return directory;
}

/** `setup.ts` runs it after everything else of a test file. */
export async function removeTemporaryDirectories(): Promise<void> {
  for (const directory of created.splice(0)) await rm(directory, { recursive: true, force: true });
}
