/**
 * The contract suites: what AWS documents, told as cases that know SDK clients only. They run on the sandbox in `npm test`, and
 * on any other endpoint with `npm run test:contract -- --endpoint URL`.
 */
import type { ContractTarget } from './target.ts';

export type ContractService = 'sts' | 'iam' | 'ssm' | 'secretsmanager';

export interface ContractCase {
  readonly service: ContractService;
  /** The behaviour, as a sentence; unique within its service. */
  readonly name: string;
  /** Throws where the endpoint differs from the documentation. */
  readonly run: (target: ContractTarget) => Promise<void>;
}

/** `{ 'a name': async (target) => … }` as cases of one service. */
export function contractCases(
  service: ContractService,
  cases: Readonly<Record<string, ContractCase['run']>>,
): readonly ContractCase[] {
  return Object.entries(cases).map(([name, run]) => ({ service, name, run }));
}
