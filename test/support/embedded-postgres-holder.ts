/**
 * A program that starts an embedded PostgreSQL and then waits for ever, for the tests of how that
 * ends with it.
 */
import { startEmbeddedPostgres } from '../../src/sandbox/postgres.ts';

const [directory = '', kind] = process.argv.slice(2);
const server = await startEmbeddedPostgres({ directory, persistent: kind === 'persistent' });
console.log(`serving ${server.pid}`);
setInterval(() => undefined, 60_000);
