import type { Registry } from 'prom-client'
import type { RecordedKind } from '../../../services/handler/observer.ts'
import { KINDS } from '../../contract/kinds.ts'
import { labelledCounter } from './labelled-counter.ts'

export interface RecordedCounts {
  accepted: number
  duplicates: number
  rejected: number
}

export const OUTCOMES = ['accepted', 'duplicate', 'rejected'] as const

/** Counts the outcomes of each kind of event; payments have a counter of their own. The help text ends with `which`. */
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
  const add = labelledCounter(registry, {
    name: `${prefix}_${metric}_total`,
    help: `Outcomes of the ${plural} ${which}: accepted, duplicate or rejected.`,
    label: 'outcome',
    values: OUTCOMES,
  })
  return ({ accepted, duplicates, rejected }: RecordedCounts) => {
    add('accepted', accepted)
    add('duplicate', duplicates)
    add('rejected', rejected)
  }
}
