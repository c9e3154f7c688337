/**
 * Holds the sandbox to what AWS answered: the recorded cases and questions, asked of the sandbox,
 * must leave the same recording.
 */
import { CONTRACT_CASES, caseId } from '../contract/suites.ts';
import { FAMILY } from './guard.ts';
import { createLiveTarget } from './live-target.ts';
import { openPlace, SANDBOX_ACCOUNT } from './place.ts';
import { QUESTIONS } from './questions.ts';
import { compareAnswers, createRecorder, type Recording } from './recorder.ts';

/** A sentence for each difference; a case or question that does not exist any more is one. */
export async function findDifferences(recording: Recording): Promise<readonly string[]> {
  const found = await recordSandbox(recording);
  const inCases = Object.entries(recording.cases).flatMap(([id, answers]) =>
    compareAnswers(answers, found.cases[id] ?? []).map((difference) => `${id}: ${difference}`),
  );
  const inQuestions = Object.entries(recording.questions).flatMap(([id, facts]) => {
    const [recorded, is] = [JSON.stringify(facts), JSON.stringify(found.questions[id])];
    return recorded === is ? [] : [`question ${id}: recorded ${recorded}, found ${is}`];
  });
  return [...inCases, ...inQuestions];
}

/** The same cases and questions on a fresh sandbox. */
export async function recordSandbox(wanted: Pick<Recording, 'cases' | 'questions' | 'region'>): Promise<Recording> {
  const place = await openPlace('sandbox');
  const recorder = createRecorder();
  const { region } = wanted;
  const target = createLiveTarget({
    place,
    region,
    accountId: SANDBOX_ACCOUNT,
    prefix: `${FAMILY}replay`,
    observer: recorder,
  });
  const questions: Record<string, unknown> = {};
  const cases: Record<string, Recording['cases'][string]> = {};
  try {
    for (const { id, ask } of QUESTIONS.filter((question) => question.id in wanted.questions))
      questions[id] = (await ask(target, place.patienceMs)).facts;
    for (const contractCase of CONTRACT_CASES.filter((one) => caseId(one) in wanted.cases)) {
      recorder.take();
      await contractCase.run(target).catch(() => undefined);
      cases[caseId(contractCase)] = recorder.take();
    }
  } finally {
    await place.close();
  }
  return { recordedOn: new Date().toISOString().slice(0, 10), region, cases, questions };
}
