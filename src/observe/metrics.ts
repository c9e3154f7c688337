/**
 * The process's Prometheus metrics, under the names of the public contract. Workers count runs and
 * AWS calls here; the server fills in the gauges that are read from PostgreSQL and from the queues
 * when it is scraped. No label ever carries a name or an id: all label values are listed below or
 * come from a fixed set, and anything else is counted as `other`.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import { services as destinationServices } from '../domain/destinations/registry.ts';
import { runKinds, runStatuses, type Kind } from '../domain/run.ts';

/** OpenTelemetry's list for durations, and beyond for runs that take minutes. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

export type AwsCallOutcome = 'ok' | 'throttled' | 'denied' | 'failed' | 'unreachable';

export interface FinishedRun {
  /** One of `RunKind`. */
  readonly kind: string;
  /** One of `RunStatus`. */
  readonly status: string;
  readonly durationSeconds: number;
  /** From when it was due to its start; absent when nothing was due. */
  readonly waitSeconds?: number | undefined;
}

export interface AwsCall {
  /** `ssm`, `secretsmanager`, `iam`, `sts`. */
  readonly service: string;
  readonly operation: string;
  readonly outcome: AwsCallOutcome;
}

/** What the server reads at scrape time; absent values leave the series out rather than lie. */
export interface StateReading {
  readonly connections: Readonly<Record<string, number>>;
  readonly syncs: Readonly<Record<string, number>>;
  readonly rotations: Readonly<Record<string, number>>;
  readonly due: Readonly<Record<Kind, { readonly count: number; readonly oldestSeconds: number }>>;
  readonly events: { readonly waiting: number; readonly parked: number };
}

export interface QueueReading {
  readonly queue: string;
  readonly counts: Readonly<Record<string, number>>;
}

export interface Metrics {
  readonly registry: Registry;
  runFinished(run: FinishedRun): void;
  awsCall(call: AwsCall): void;
  /** The tick ended well: its age is what an alert looks at. */
  tickFinished(kind: Kind, dispatched: number, at: Date): void;
  leaseLost(kind: Kind): void;
  /** A settlement that was slowed because its subject's runs get nowhere. */
  hotLoop(kind: Kind): void;
  /** Calls that changed AWS without a wish on record. */
  unaskedWrites(count: number): void;
  /** How many violations of each kind were found. */
  invariantsRepaired(found: Readonly<Record<string, number>>): void;
  setState(state: StateReading | undefined): void;
  setQueues(queues: readonly QueueReading[]): void;
}

export function createMetrics(options: { readonly version: string; readonly hasProcessMetrics?: boolean }): Metrics {
  const registry = new Registry();
  const instruments = createInstruments(registry);
  instruments.build.set({ version: options.version }, 1);
  if (options.hasProcessMetrics !== false) collectDefaultMetrics({ register: registry });
  return {
    registry,
    runFinished(run) {
      const kind = known(knownKinds, run.kind);
      instruments.runs.inc({ kind, status: known(knownStatuses, run.status) });
      instruments.duration.observe({ kind }, run.durationSeconds);
      if (run.waitSeconds !== undefined) instruments.wait.observe({ kind }, Math.max(0, run.waitSeconds));
    },
    awsCall({ service, operation, outcome }) {
      const labels = { service: known(services, service), operation: knownOperation(operation) };
      instruments.calls.inc({ ...labels, outcome });
      if (outcome === 'throttled') instruments.throttled.inc(labels);
    },
    tickFinished(kind, dispatched, at) {
      instruments.tick.set({ kind }, at.getTime() / 1_000);
      instruments.dispatched.inc({ kind }, dispatched);
    },
    leaseLost: (kind) => {
      instruments.leases.inc({ kind });
    },
    hotLoop: (kind) => {
      instruments.hotLoops.inc({ kind });
    },
    unaskedWrites: (count) => {
      instruments.unasked.inc(count);
    },
    invariantsRepaired: (found) => {
      for (const [kind, count] of Object.entries(found)) instruments.repaired.inc({ kind }, count);
    },
    setState: (state) => {
      setState(instruments, state);
    },
    setQueues: (queues) => {
      setQueues(instruments.queueJobs, queues);
    },
  };
}

/** What a worker reports of itself, beside its runs. */
export function workerHooks(metrics: Metrics) {
  return {
    onTick: (kind: Kind, dispatched: number) => {
      metrics.tickFinished(kind, dispatched, new Date());
    },
    onLeaseLost: metrics.leaseLost,
    onRepaired: metrics.invariantsRepaired,
    onUnaskedWrites: metrics.unaskedWrites,
    onHotLoop: metrics.hotLoop,
  };
}

type Instruments = ReturnType<typeof createInstruments>;

function createInstruments(registry: Registry) {
  return { ...createWorkerInstruments([registry]), ...createStateInstruments([registry]) };
}

function createWorkerInstruments(registers: Registry[]) {
  const counter = (name: string, help: string, labelNames: readonly string[]) =>
    new Counter({ name, help, labelNames, registers });
  const histogram = (name: string, help: string) =>
    new Histogram({ name, help, labelNames: ['kind'], buckets: DURATION_BUCKETS, registers });
  return {
    runs: counter('keyferry_runs_total', 'Runs that ended, by kind and by how they ended.', ['kind', 'status']),
    duration: histogram('keyferry_run_duration_seconds', 'Time from the start of a run to its end.'),
    wait: histogram('keyferry_run_wait_seconds', 'Time between the due time of a run and its start.'),
    calls: counter('keyferry_aws_calls_total', 'Calls sent to AWS, every attempt counted.', [
      'service',
      'operation',
      'outcome',
    ]),
    repaired: counter(
      'keyferry_repaired_invariants_total',
      'Forgotten work that was found and made due, by kind: defects.',
      ['kind'],
    ),
    throttled: counter('keyferry_aws_throttled_total', 'Calls that AWS refused because of its request rates.', [
      'service',
      'operation',
    ]),
    dispatched: counter('keyferry_dispatched_total', 'Due subjects that a tick put into the queue.', ['kind']),
    leases: counter('keyferry_leases_lost_total', 'Runs that lost their lease and were stopped.', ['kind']),
    hotLoops: counter('keyferry_hot_loops_total', 'Settlements slowed because the runs of a subject get nowhere.', [
      'kind',
    ]),
    unasked: counter(
      'keyferry_unasked_writes_total',
      'Calls that changed AWS for a sync that nobody asked to write.',
      [],
    ),
    tick: new Gauge({
      name: 'keyferry_tick_last_success_timestamp_seconds',
      help: 'When the tick of this process last ended well.',
      labelNames: ['kind'],
      registers,
    }),
    build: new Gauge({
      name: 'keyferry_build_info',
      help: 'Always 1; the version is a label.',
      labelNames: ['version'],
      registers,
    }),
  };
}

function createStateInstruments(registers: Registry[]) {
  const gauge = (name: string, help: string, labelNames: readonly string[]) =>
    new Gauge({ name, help, labelNames, registers });
  return {
    connections: gauge('keyferry_connections', 'Connections by status.', ['status']),
    syncs: gauge('keyferry_syncs', 'Syncs by status.', ['status']),
    rotations: gauge('keyferry_rotations', 'Rotations by status.', ['status']),
    due: gauge('keyferry_due', 'Subjects that are due and wait for a worker.', ['kind']),
    oldestDue: gauge('keyferry_oldest_due_seconds', 'How long the longest waiting due subject has waited.', ['kind']),
    events: gauge('keyferry_webhook_events', 'Events that webhooks have not taken, by state.', ['state']),
    queueJobs: gauge('keyferry_queue_jobs', 'Jobs in a queue by state.', ['queue', 'state']),
  };
}

function setState(instruments: Instruments, state: StateReading | undefined): void {
  const { connections, syncs, rotations, due, oldestDue, events } = instruments;
  for (const gauge of [connections, syncs, rotations, due, oldestDue, events]) gauge.reset();
  if (!state) return;
  setByStatus(connections, state.connections);
  setByStatus(syncs, state.syncs);
  setByStatus(rotations, state.rotations);
  for (const [name, count] of Object.entries(state.events)) events.set({ state: name }, count);
  for (const [kind, reading] of Object.entries(state.due)) {
    due.set({ kind }, reading.count);
    oldestDue.set({ kind }, reading.oldestSeconds);
  }
}

function setByStatus(gauge: Gauge, counts: Readonly<Record<string, number>>): void {
  for (const [status, count] of Object.entries(counts)) gauge.set({ status }, count);
}

function setQueues(gauge: Gauge, queues: readonly QueueReading[]): void {
  gauge.reset();
  for (const { queue, counts } of queues) {
    for (const [state, count] of Object.entries(counts)) gauge.set({ queue, state }, count);
  }
}

const services: ReadonlySet<string> = new Set([...destinationServices.map(({ name }) => name), 'iam', 'sts', 'kms']);
const knownKinds: ReadonlySet<string> = new Set(runKinds);
const knownStatuses: ReadonlySet<string> = new Set(runStatuses);

function known(values: ReadonlySet<string>, value: string): string {
  return values.has(value) ? value : 'other';
}

/** Operation names are AWS's own; anything else would let an error text become a label. */
function knownOperation(operation: string): string {
  return /^[A-Z][A-Za-z]{2,40}$/.test(operation) ? operation : 'other';
}
