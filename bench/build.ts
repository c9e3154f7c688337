/**
 * Compiles the project, so that processes under measurement run as they are deployed: into a folder
 * of its own, since a checkout whose sources change while a bench runs is run from its sources,
 * which takes twice the time to start and 50 MB more. The folder goes with this process.
 */
import { compileProgram } from '../test/support/program.ts';
import { useProgram } from '../test/support/processes.ts';

export async function build(): Promise<void> {
  const { path } = await compileProgram();
  useProgram(path);
}
