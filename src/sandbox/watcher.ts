/**
 * Ends a child process and removes temporary folders when this process is gone, however it went: a
 * shell reads a pipe whose other end only we hold. Exit hooks cannot do this (SIGKILL runs none)
 * and would fight with the worker's own shutdown. A shell and not Node, as it costs about 1 MB and
 * a millisecond. On Windows there is none, and only a normal stop cleans up.
 */
import { spawn, type ChildProcess } from 'node:child_process';

/**
 * `$1` signal, `$2…` folders to remove; pids come line by line on the pipe and the last one counts.
 * It ignores the signals that a terminal sends to everyone.
 */
const SCRIPT = `
trap '' HUP INT TERM
signal=$1
shift
pid=
while read -r line; do pid=$line; done
# In a container whose first process reaps nobody, a dead process stays listed as a zombie.
is_alive() {
  kill -0 "$pid" 2>/dev/null || return 1
  case "$(cat "/proc/$pid/stat" 2>/dev/null)" in *') Z '*) return 1 ;; esac
}
if [ -n "$pid" ] && kill -"$signal" "$pid" 2>/dev/null; then
  n=0
  while is_alive && [ "$n" -lt 200 ]; do sleep 0.05; n=$((n + 1)); done
  kill -KILL "$pid" 2>/dev/null
fi
[ "$#" -eq 0 ] || rm -rf -- "$@"
`;

export interface WatcherOptions {
  /** What ends the watched process; after ten seconds it is SIGKILL. */
  readonly signal: 'INT' | 'TERM' | 'QUIT' | 'KILL';
  /** Removed with everything in them, after the process has ended. */
  readonly removeFolders?: readonly string[];
}

export interface Watcher {
  /** From now on this process is the one to end. */
  watch(pid: number | undefined): void;
  /** Nothing is killed or removed any more. */
  release(): void;
}

export function startWatcher(options: WatcherOptions): Watcher {
  if (process.platform === 'win32') return { watch: () => undefined, release: () => undefined };
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'keyferry-watcher', options.signal, ...(options.removeFolders ?? [])], {
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  letParentExit(shell);
  return {
    watch: (pid) => void shell.stdin.write(`${pid ?? ''}\n`),
    release: () => void shell.kill('SIGKILL'),
  };
}

function letParentExit(shell: ChildProcess): void {
  shell.unref();
  // A pipe's handle is a socket, which `ChildProcess` types as a mere stream.
  (shell.stdin as unknown as { unref(): void } | null)?.unref();
  shell.stdin?.on('error', () => undefined);
  shell.on('error', () => undefined);
}
