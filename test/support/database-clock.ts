/**
 * The clock of a test's database, which the test moves. A schema `testclock` in front of
 * `pg_catalog` has a `now()` of its own, so that every statement of keyferry follows it without
 * knowing; column defaults do, too. The sandbox that is made with it shows the same time. Unless it
 * is moved, it runs a thousand times slower than a real clock: moments keep their order, and a slow
 * machine changes nothing.
 *
 * Install it before the first connection that is to follow it: a session takes its search path when
 * it begins.
 */
import postgres from 'postgres';

import type { SandboxClock } from '../../src/sandbox/aws/index.ts';

export interface DatabaseClock extends SandboxClock {
  /** Moves the sandbox at once, and the database with the next `settled`. */
  advance(ms: number): void;
  /** Resolves when the database shows the same time as `now()`. */
  settled(): Promise<void>;
  /** Both show the real time again, from here on. */
  reset(): Promise<void>;
}

const SPEED = 0.001;

const installed = new Map<string, Promise<DatabaseClock>>();

/** One clock for each database, however often it is asked for. */
export function databaseClock(databaseUrl: string): Promise<DatabaseClock> {
  const known = installed.get(databaseUrl) ?? install(databaseUrl);
  installed.set(databaseUrl, known);
  return known;
}

async function install(databaseUrl: string): Promise<DatabaseClock> {
  let base = { realMs: Date.now(), shownMs: Date.now() };
  let stored: typeof base | undefined;
  // Closes itself when the clock stops; the next move opens it again.
  const sql = postgres(databaseUrl, { max: 1, idle_timeout: 1, onnotice: () => undefined });
  const nowMs = () => base.shownMs + (Date.now() - base.realMs) * SPEED;
  const settled = async () => {
    if (stored === base) return;
    const wanted = base;
    const { realMs, shownMs } = wanted;
    await sql`update testclock.base set real_ms = ${realMs}, shown_ms = ${shownMs}`;
    stored = wanted;
  };
  await sql.unsafe(DEFINITION);
  await settled();
  return {
    now: () => new Date(nowMs()),
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) throw new RangeError(`advance takes milliseconds >= 0, got ${String(ms)}`);
      base = { realMs: Date.now(), shownMs: nowMs() + ms };
    },
    settled,
    async reset() {
      base = { realMs: Date.now(), shownMs: Date.now() };
      await settled();
    },
  };
}

const DEFINITION = `
  create schema testclock;
  create table testclock.base (real_ms double precision not null,
    shown_ms double precision not null);
  insert into testclock.base values (0, 0);
  create function testclock.shown(moment timestamptz) returns timestamptz language sql stable as
    $$ select to_timestamp((shown_ms + (extract(epoch from moment) * 1000 - real_ms)
      * ${String(SPEED)}) / 1000) from testclock.base $$;
  create function testclock.now() returns timestamptz language sql stable as
    $$ select testclock.shown(pg_catalog.now()) $$;
  create function testclock.clock_timestamp() returns timestamptz language sql volatile as
    $$ select testclock.shown(pg_catalog.clock_timestamp()) $$;
  do $$
  declare d record;
  begin
    execute format('alter database %I set search_path = testclock, pg_catalog, public',
      current_database());
    for d in
      select c.relname, a.attname from pg_attribute a
      join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
      join pg_class c on c.oid = a.attrelid
      join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'keyferry'
      where pg_get_expr(f.adbin, f.adrelid) in ('now()', 'pg_catalog.now()')
    loop
      execute format('alter table keyferry.%I alter column %I set default testclock.now()',
        d.relname, d.attname);
    end loop;
  end $$;
`;
