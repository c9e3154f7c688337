/**
 * The results of the comparison with other tools: what `npm run bench -- peers` measures, and
 * docs/benchmarks.md is made from.
 */

/** In the order in which one session does them. */
export const works = ['first', 'unchanged', 'changed', 'verified', 'deleted'] as const;
export type Work = (typeof works)[number];

export const services = ['ssm', 'secretsmanager'] as const;
export type Service = (typeof services)[number];

/**
 * First syncs that the worker of `keyferry-running` made before: others have just started, as all
 * loops have.
 */
export const EARLIER_SYNCS = 3;

/** `budget lifted`: the rows of its call budget set to a rate that no call waits for. */
export const peers = {
  'keyferry-redis': 'keyferry, Redis',
  'keyferry-postgres': 'keyferry, PostgreSQL queue',
  'keyferry-lifted': 'keyferry, Redis, budget lifted',
  'keyferry-running': 'the same, a worker that has run before',
  'sdk-1': 'SDK loop, 1 at a time',
  'sdk-10': 'SDK loop, 10 at once',
  'sdk-32': 'SDK loop, 32 at once',
  'boto3-32': 'boto3, 32 threads',
} as const;
export type Peer = keyof typeof peers;

/** What PutParameter may take at once where it has a quota. */
export const BURST = 20;

/**
 * What is measured together: the objects of one service, in an AWS that refuses nothing or allows
 * this many writes a second.
 */
export interface Case {
  readonly service: Service;
  readonly size: number;
  readonly ratePerSecond: number | null;
}

/** One work done once. */
export interface Sample {
  readonly seconds: number;
  /** User and system time of the process that does the work, without its start. */
  readonly cpuSeconds: number;
  readonly peakMb: number;
  readonly calls: number;
  readonly throttled: number;
  /** Objects that are not as they should be at the end. */
  readonly lost: number;
}

/** Medians of the repetitions, and the fastest and the slowest of them. */
export interface Cell extends Case, Sample {
  readonly peer: Peer;
  readonly work: Work;
  readonly fastest: number;
  readonly slowest: number;
}

export interface Results {
  readonly machine: {
    readonly cpus: number;
    readonly model: string;
    readonly memoryGb: number;
    readonly node: string;
    /** What else ran: load average of a minute, before the first measurement. */
    readonly loadBefore: number;
  };
  readonly versions: Readonly<Record<string, string>>;
  readonly repetitions: number;
  /** Peers that could not be run here, and why. */
  readonly skipped: Readonly<Partial<Record<Peer, string>>>;
  readonly cells: readonly Cell[];
}

export type CellName = Pick<Cell, 'peer' | 'work'> & Case;

export function toCell({ peer, work, service, size, ratePerSecond }: CellName, samples: readonly Sample[]): Cell {
  const middle = (what: keyof Sample) => median(samples.map((sample) => sample[what]));
  const seconds = samples.map((sample) => sample.seconds);
  return {
    ...{ peer, service, size, ratePerSecond, work },
    seconds: round(middle('seconds')),
    fastest: round(Math.min(...seconds)),
    slowest: round(Math.max(...seconds)),
    cpuSeconds: round(middle('cpuSeconds')),
    peakMb: Math.round(middle('peakMb')),
    calls: middle('calls'),
    throttled: middle('throttled'),
    lost: middle('lost'),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000;
