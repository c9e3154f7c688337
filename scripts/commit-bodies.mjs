/**
 * Checks the messages of the commits since `BASE`: a subject of at most 72 characters, and a body
 * where more than 50 lines changed. Without the history it says so and passes.
 */
import { spawnSync } from 'node:child_process';

/** The last commit that is older than this check. */
const BASE = '48b7cda821ee6d376d1277b61819798ccaf67cd7';
const MAX_SUBJECT = 72;
const MAX_LINES_WITHOUT_BODY = 50;

/** Written by a command, so their lines say nothing about the size of a change. */
const GENERATED = [
  'package-lock.json',
  'docs/benchmarks.md',
  'docs/images/**',
  'src/db/migrations/meta/**',
  'src/sandbox/aws/aws-constraints.json',
];

/** What is wrong with one commit, a sentence each. */
function problemsOf({ subject, body, lines }) {
  const problems = [];
  const length = [...subject].length;
  if (length > MAX_SUBJECT) {
    problems.push(`the subject has ${length} characters; shorten it to ${MAX_SUBJECT}`);
  }
  if (lines > MAX_LINES_WITHOUT_BODY && body.trim() === '') {
    problems.push(`${lines} lines changed; add a body that says why`);
  }
  return problems;
}

/** The changed lines of `git show --numstat`; binary files (`-`) count as none. */
function changedLines(numstat) {
  return numstat
    .split('\n')
    .flatMap((line) => line.split('\t').slice(0, 2))
    .reduce((sum, count) => sum + (Number(count) || 0), 0);
}

function git(...args) {
  const { status, stdout } = spawnSync('git', args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  return status === 0 ? stdout : undefined;
}

function readCommit(hash) {
  const [subject, ...body] = git('show', '--no-patch', '--format=%s%n%b', hash).split('\n');
  const paths = GENERATED.map((path) => `:(exclude,glob)${path}`);
  const numstat = git('show', '--numstat', '--format=', hash, '--', '.', ...paths);
  return { hash, subject, body: body.join('\n'), lines: changedLines(numstat) };
}

/** Why the commits cannot be read here, if they cannot. */
function missingHistory(base) {
  if (git('rev-parse', '--verify', 'HEAD') === undefined) return 'this is no git checkout';
  if (git('rev-parse', '--is-shallow-repository').trim() === 'true') {
    return 'the history is shallow; `git fetch --unshallow` completes it';
  }
  if (git('merge-base', '--is-ancestor', base, 'HEAD') === undefined) {
    return `the history does not contain the commit ${base.slice(0, 7)} that the check starts after`;
  }
  return undefined;
}

const base = process.argv[2] ?? BASE;
const missing = missingHistory(base);
if (missing !== undefined) {
  console.log(`Skipped the check of commit messages: ${missing}.`);
  process.exit();
}
const hashes = git('rev-list', '--no-merges', `${base}..HEAD`).split('\n').filter(Boolean);
for (const { hash, ...commit } of hashes.map(readCommit)) {
  for (const problem of problemsOf(commit)) {
    console.error(`${hash.slice(0, 7)} "${commit.subject}": ${problem}.`);
    process.exitCode = 1;
  }
}
