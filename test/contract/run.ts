/**
 * `npm run test:contract`: the suites on the sandbox, and on a second endpoint: moto's server, or
 * any that is named.
 *
 *   tsx test/contract/run.ts [--endpoint URL] [--region REGION] [--verbose]
 */
import { parseArgs } from 'node:util';
import type { ContractCase, ContractService } from './case.ts';
import { createEndpointTarget } from './endpoint-target.ts';
import type { KnownDifference } from './known-difference.ts';
import { startMoto } from './moto.ts';
import { MOTO_DIFFERENCES } from './moto-differences.ts';
import { createSandboxTarget } from './sandbox-target.ts';
import { CONTRACT_CASES, caseId } from './suites.ts';
import type { ContractTarget } from './target.ts';

type Differences = Readonly<Record<string, KnownDifference>>;

interface CaseResult {
  readonly contractCase: ContractCase;
  readonly id: string;
  /** undefined: as documented. */
  readonly problem: string | undefined;
  readonly known: KnownDifference | undefined;
}

interface EndpointResult {
  readonly name: string;
  readonly results: readonly CaseResult[];
}

const SERVICES: readonly ContractService[] = ['sts', 'iam', 'ssm', 'secretsmanager', 'kms'];

async function runAll(name: string, target: ContractTarget, differences: Differences): Promise<EndpointResult> {
  const results: CaseResult[] = [];
  for (const contractCase of CONTRACT_CASES) {
    const id = caseId(contractCase);
    const problem = await findProblem(contractCase, target);
    results.push({ contractCase, id, problem, known: differences[id] });
  }
  await target.close();
  return { name, results };
}

async function findProblem(contractCase: ContractCase, target: ContractTarget): Promise<string | undefined> {
  try {
    await contractCase.run(target);
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return text.split('\n').slice(0, 3).join(' ').slice(0, 240);
  }
}

/** Differs without being known, or is known without differing any more. */
function isFailure(result: CaseResult): boolean {
  return (result.problem === undefined) !== (result.known === undefined);
}

function printCounts(endpoints: readonly EndpointResult[]): void {
  print(`${'cases as documented'.padEnd(20)}${endpoints.map(({ name }) => name.padStart(14)).join('')}`);
  for (const service of SERVICES) {
    const counts = endpoints.map(({ results }) => {
      const own = results.filter(({ contractCase }) => contractCase.service === service);
      return `${String(own.filter(({ problem }) => problem === undefined).length)} of ${String(own.length)}`;
    });
    print(`${service.padEnd(20)}${counts.map((count) => count.padStart(14)).join('')}`);
  }
}

function printDetails({ name, results }: EndpointResult): void {
  const known = results.filter(({ problem, known }) => problem !== undefined && known !== undefined);
  if (known.length > 0) print(`\n${name} differs from AWS's documentation, as known:`);
  for (const { id, known: difference } of known) {
    print(`  ${id}\n      ${name}: ${difference?.moto ?? ''}\n      documented: ${difference?.documented ?? ''}`);
  }
  for (const { id, problem, contractCase } of results.filter(isFailure)) {
    const { source } = contractCase;
    print(
      `\nFAILED on ${name}: ${id}\n  ${problem ?? 'works as documented now: take it out of the table of differences'}`,
    );
    if (source !== undefined) print(`  source: ${source}`);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { endpoint: { type: 'string' }, region: { type: 'string' } } });
  const endpoints = [await runAll('sandbox', createSandboxTarget(), {})];
  const closing: string[] = [];
  if (values.endpoint !== undefined) {
    const target = await createEndpointTarget({
      endpoint: values.endpoint,
      ...(values.region && { region: values.region }),
    });
    endpoints.push(await runAll('endpoint', target, {}));
  } else {
    const moto = await startMoto();
    if ('missing' in moto) closing.push(`moto was left out: ${moto.missing}. The sandbox ran alone.`);
    else {
      try {
        endpoints.push(await runAll('moto', await createEndpointTarget({ endpoint: moto.url }), MOTO_DIFFERENCES));
      } finally {
        await moto.close();
      }
    }
  }
  const cases = new Set(CONTRACT_CASES.map(caseId));
  const strayEntries = Object.keys(MOTO_DIFFERENCES).filter((id) => !cases.has(id));
  for (const id of strayEntries) print(`FAILED: the table of differences names a case that is none: ${id}`);
  endpoints.forEach(printDetails);
  print('');
  printCounts(endpoints);
  const failures = endpoints.flatMap(({ results }) => results.filter(isFailure)).length + strayEntries.length;
  print(`${String(CONTRACT_CASES.length)} cases, ${String(failures)} unexplained`);
  closing.forEach(print);
  process.exitCode = failures === 0 ? 0 : 1;
}

try {
  await main();
} catch (error) {
  print(`The contract suites could not run: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
