import type { LoadResult } from '../client/job.ts'
import { type Abuse, ONE_LARGE } from '../items/fair-abuses.ts'
import { type Bystander, BYSTANDERS } from '../items/fair-bystanders.ts'
import { type Claim, formatted } from './claim.ts'
import { median } from './rounds.ts'

/** How many times as long a bystander may wait next to an abuse of the same kind, and of another kind. */
const SAME_TIMES_MAX = 3
const OTHER_TIMES_MAX = 2

export type Seen = Record<Bystander, LoadResult>

export interface FairRun {
  alone: Seen
  abused: Seen
  abuse: LoadResult
}

type Runs = readonly FairRun[]
type Part = 'p50' | 'p99'

/** The slowest bystander of other kinds, then of the same kind. */
export function claimsOf(name: string, { same }: Abuse, runs: Runs): Claim[] {
  const others = BYSTANDERS.filter((one) => !same.includes(one))
  const claims = [
    slowestOf(others, runs, { what: `next to ${name}: p50 of a bystander of another kind ÷ alone`, max: OTHER_TIMES_MAX }),
  ]
  if (same.length === 0) return claims
  claims.push(slowestOf(same, runs, { what: '— of the same kind', max: SAME_TIMES_MAX }))
  if (name !== ONE_LARGE) return claims
  const measured = timesOf('single event', runs, 'p99')
  const detail = `${msOf('single event', runs, 'p99')} ms; ${rateOf(runs)}`
  return [...claims, { what: '— p99 of a single event ÷ alone', measured, target: { max: OTHER_TIMES_MAX }, detail }]
}

function slowestOf(bystanders: readonly Bystander[], runs: Runs, { what, max }: { what: string; max: number }): Claim {
  const times = (one: Bystander) => timesOf(one, runs, 'p50')
  const slowestFirst = bystanders.toSorted((one, other) => times(other) - times(one))
  const each = slowestFirst.map((one) => `${one} ${formatted(times(one))} (${msOf(one, runs, 'p50')} ms)`)
  const detail = `${each.join(', ')}; ${unansweredOf(bystanders, runs)}; the abuse came to ${rateOf(runs)}`
  return { what, measured: times(slowestFirst[0]!), target: { max }, detail }
}

function timesOf(one: Bystander, runs: Runs, part: Part): number {
  return median(runs.map(({ alone, abused }) => abused[one].latency[part] / alone[one].latency[part]))
}

function msOf(one: Bystander, runs: Runs, part: Part): string {
  const [alone, abused] = (['alone', 'abused'] as const).map((when) => median(runs.map((run) => run[when][one].latency[part])))
  return `${formatted(alone!)} → ${formatted(abused!)}`
}

function unansweredOf(bystanders: readonly Bystander[], runs: Runs): string {
  const seen = runs.flatMap(({ abused }) => bystanders.map((one) => abused[one]))
  const requests = sumOf(seen.map((result) => result.requests))
  const errors = sumOf(seen.flatMap((result) => Object.values(result.errors)))
  return `${formatted(errors)} of ${formatted(requests)} not answered with 200`
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0)

/** What the abusive caller came to, because it must not starve either. */
function rateOf(runs: Runs): string {
  const rate = (part: 'events' | 'requests') => median(runs.map(({ abuse }) => abuse[part] / abuse.seconds))
  const events = rate('events') > 0 ? ` and ${formatted(rate('events'))} events/s` : ''
  return `${formatted(rate('requests'))} requests/s${events}`
}
