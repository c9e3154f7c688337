/**
 * The contract suites: what AWS documents, told as cases that know SDK clients only. They run on
 * the sandbox in `npm test`, and on any other endpoint with
 * `npm run test:contract -- --endpoint URL`.
 */
import type { ContractTarget } from './target.ts';

export type ContractService = 'sts' | 'iam' | 'ssm' | 'secretsmanager' | 'kms';

export interface ContractCase {
  readonly service: ContractService;
  /** The behaviour, as a sentence; unique within its service. */
  readonly name: string;
  /** Where AWS, or a public report, says so; undefined: the API reference of the operation. */
  readonly source: string | undefined;
  /** Throws where the endpoint differs from the documentation. */
  readonly run: (target: ContractTarget) => Promise<void>;
}

type Run = ContractCase['run'];

/**
 * `{ 'a name': async (target) => … }` as cases of one service; a case with a source of its own is
 * `{ source, run }`.
 */
export function contractCases(
  service: ContractService,
  cases: Readonly<Record<string, Run | { readonly source: string; readonly run: Run }>>,
): readonly ContractCase[] {
  return Object.entries(cases).map(([name, given]) =>
    typeof given === 'function'
      ? { service, name, source: undefined, run: given }
      : { service, name, source: given.source, run: given.run },
  );
}
