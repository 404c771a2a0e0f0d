import { Counter, type Registry } from 'prom-client'
import type { RecordedKind } from '../../../services/handler/observer.ts'
import { KINDS } from '../../contract/kinds.ts'

export interface RecordedCounts {
  accepted: number
  duplicates: number
  rejected: number
}

/** Counts what became of the events of each kind; payments have a counter of their own. `which` ends the help text. */
export function recordedCounters(
  registry: Registry,
  prefix: string,
  which: string,
): Record<RecordedKind, (counts: RecordedCounts) => void> {
  const kinds = (Object.keys(KINDS) as (keyof typeof KINDS)[]).filter((kind) => kind !== 'payment')
  const counters = kinds.map((kind) => [kind, recordedCounter(registry, prefix, which, kind)] as const)
  return Object.fromEntries(counters) as Record<RecordedKind, (counts: RecordedCounts) => void>
}

function recordedCounter(registry: Registry, prefix: string, which: string, kind: RecordedKind) {
  const { metric, plural } = KINDS[kind]
  const counter = new Counter({
    name: `${prefix}_${metric}_total`,
    help: `What became of the ${plural} ${which}: accepted, duplicate or rejected.`,
    labelNames: ['outcome'],
    registers: [registry],
  })
  // Every outcome is there from the start, because a rate misses the first event of a counter that appears with it.
  for (const outcome of ['accepted', 'duplicate', 'rejected']) counter.inc({ outcome }, 0)
  return ({ accepted, duplicates, rejected }: RecordedCounts) => {
    counter.inc({ outcome: 'accepted' }, accepted)
    counter.inc({ outcome: 'duplicate' }, duplicates)
    counter.inc({ outcome: 'rejected' }, rejected)
  }
}
