/** What the comparison promises: ratios of figures that were measured in the same run. */
import type { Figure } from '../figure.ts';
import { BURST, type Cell, type CellName, type Peer, type Results, services } from './results.ts';

export function findCell({ cells }: Results, { peer, work, service, size, ratePerSecond }: CellName): Cell | undefined {
  return cells.find(
    (cell) =>
      cell.peer === peer &&
      cell.work === work &&
      cell.service === service &&
      cell.size === size &&
      cell.ratePerSecond === ratePerSecond,
  );
}

/** Time taken ÷ what the quota itself allows; undefined where there is none. */
export function timeRatio({ seconds, size, ratePerSecond }: Cell): number | undefined {
  return ratePerSecond === null ? undefined : seconds / ((size - BURST) / ratePerSecond);
}

export function toFigures(results: Results): readonly Figure[] {
  const first = (peer: Peer, service: Cell['service'], size: number) =>
    findCell(results, { peer, work: 'first', service, size, ratePerSecond: null });
  const ratio = (name: string, goal: string, pair: readonly [Cell | undefined, Cell | undefined]): Figure[] => {
    const [ours, theirs] = pair;
    if (!ours || !theirs) return [];
    return [
      { name: `${name}.wall-ratio`, value: ours.seconds / theirs.seconds, unit: unitOf(ours, theirs, 'seconds'), goal },
      {
        name: `${name}.cpu-ratio`,
        value: ours.cpuSeconds / theirs.cpuSeconds,
        unit: unitOf(ours, theirs, 'cpuSeconds'),
        goal,
      },
    ];
  };
  return [
    ...services.flatMap((service) => [
      ...ratio(`${service}.first@500`, '<= 1.3 × the SDK loop of 32', [
        first('keyferry-lifted', service, 500),
        first('sdk-32', service, 500),
      ]),
      ...ratio(`${service}.first@500.running`, 'no goal', [
        first('keyferry-running', service, 500),
        first('sdk-32', service, 500),
      ]),
      ...asShipped(first('keyferry-redis', service, 500), service),
    ]),
    ...ratio('ssm.first@2000', '<= 1.5 × the SDK loop of 10', [
      first('keyferry-lifted', 'ssm', 2_000),
      first('sdk-10', 'ssm', 2_000),
    ]).slice(0, 1),
    ...results.cells
      .filter(({ peer, ratePerSecond }) => ratePerSecond !== null && isKeyferry(peer))
      .flatMap(underQuota),
  ];
}

export const isKeyferry = (peer: Peer): boolean => peer.startsWith('keyferry');

function unitOf(ours: Cell, theirs: Cell, what: 'seconds' | 'cpuSeconds'): string {
  return `(${String(ours[what])} s / ${String(theirs[what])} s)`;
}

function asShipped(cell: Cell | undefined, service: Cell['service']): readonly Figure[] {
  if (!cell) return [];
  return [
    { name: `${service}.first-as-shipped@500`, value: cell.seconds, unit: 's', goal: service === 'ssm' ? '<= 15' : '' },
    { name: `${service}.worker-peak@500`, value: cell.peakMb, unit: 'MB', goal: '<= 140' },
  ];
}

function underQuota(cell: Cell): readonly Figure[] {
  const name = `${cell.peer}.first@${String(cell.size)}-at-${String(cell.ratePerSecond)}/s`;
  const share = cell.calls === 0 ? 0 : cell.throttled / cell.calls;
  return [
    { name: `${name}.ratio`, value: timeRatio(cell) ?? Number.NaN, unit: '× the ideal', goal: '<= 1.1' },
    { name: `${name}.throttled`, value: share, unit: 'of calls', goal: '<= 0.03' },
    { name: `${name}.lost`, value: cell.lost, unit: 'objects', goal: '0' },
  ];
}
