import type { Comparison } from '../../main/reconcile/compare.ts'
import type { Repaired } from '../../main/reconcile/repair.ts'
import type { LostFound } from '../../store/log/timeline.ts'
import { countText, numberedText } from '../terminal/count.ts'
import { print } from '../terminal/output.ts'
import type { There } from './reconcile-from.ts'

export interface Timeline {
  from: number
  to: number
  isAcknowledged: boolean
  /** Why it is not acknowledged although nothing was found missing. */
  gap: string | undefined
}

export interface Report {
  before: Comparison
  lost: LostFound
  repaired: readonly Repaired[] | undefined
  timeline: Timeline | undefined
  there: There | undefined
  /** Calls that a repair kept in the folder and did not bring back. */
  unfinished: number
  folder: string
}

export function asJson({ before, lost, repaired, timeline, there, unfinished }: Report) {
  return {
    since: new Date(before.fromMs).toISOString(),
    compared: before.compared,
    lost: lost.calls,
    lost_from: lost.from,
    lost_to: lost.to,
    lost_by_handler: lost.byHandler,
    waiting: before.waiting,
    unchecked: before.unchecked,
    ...(repaired !== undefined && { repaired }),
    unfinished,
    timeline: timeline === undefined ? null : { ...timeline, gap: timeline.gap ?? null },
    ...(there !== undefined && {
      from: { ...foundIn(there), ...broughtIn(there), revoked: there.revoked, erasures_again: there.erasures },
    }),
  }
}

/** What another database has, in numbers, and what must be looked at one by one. */
function foundIn({ found, erasedIds }: There) {
  const { sinceMs, calls, merges, erasures, keys } = found
  return {
    since: new Date(sinceMs).toISOString(),
    lost: calls.length,
    lost_merges: merges.length,
    lost_erasures: erasures.map(({ id, status }) => ({ id, status })),
    lost_erased_ids: erasedIds,
    keys,
  }
}

function broughtIn({ brought }: There) {
  if (brought === undefined) return {}
  const { withoutRows, ...counts } = brought
  return { ...counts, without_rows: withoutRows.length }
}

export function printReport({ before, lost, repaired, timeline, there, unfinished, folder }: Report): void {
  if (there !== undefined) printThere(there)
  const calls = `Restate completed ${numberedText(before.compared, 'call')} since ${new Date(before.fromMs).toISOString()}`
  if (lost.calls === 0) print(`${calls}, and PostgreSQL has all of them.`)
  else {
    print(
      `${calls}. PostgreSQL lacks ${countText(lost.calls)} of them, completed from ${lost.from!.toISOString()} to ${lost.to!.toISOString()}:`,
    )
    for (const [handler, count] of Object.entries(lost.byHandler)) print(`  ${handler}: ${countText(count)}`)
  }
  if (before.waiting > 0) print(`${numberedText(before.waiting, 'call')} wait in Restate for PostgreSQL, and are not lost.`)
  if (before.unchecked > 0)
    print(`${numberedText(before.unchecked, 'call')} of an earlier release left no trace, and were not compared.`)
  if (repaired !== undefined) printRepaired(repaired)
  else if (lost.calls > 0) print('reconcile --repair brings back what Restate kept.')
  if (unfinished > 0)
    print(
      `${numberedText(unfinished, 'call')} of a repair that was stopped are in ${folder}: reconcile --repair brings them back.`,
    )
  if (timeline !== undefined) print(...timelineLines(timeline))
}

function printRepaired(repaired: readonly Repaired[]): void {
  const ofOutcome = (outcome: Repaired['outcome']) => repaired.filter((each) => each.outcome === outcome)
  print(`Brought back: ${numberedText(ofOutcome('brought back').length, 'call')}.`)
  for (const each of repaired) {
    if (each.outcome === 'refused')
      print(`Refused now: ${each.handler} ${each.id}: ${each.message}. Its body is in ${each.file}.`)
  }
  const forgotten = ofOutcome('forgotten')
  if (forgotten.length === 0) return
  const times = forgotten.map(({ completedAt }) => completedAt).toSorted()
  print(
    `Restate kept no journal of ${numberedText(forgotten.length, 'call')}, completed from ${times[0]} to ${times.at(-1)}: import your own archive of that time, or read the old database with --from.`,
    'Clients that send one of them again with its Idempotency-Key have it recorded.',
  )
}

function printThere({ found, brought, revoked, erasedIds, erasures: again }: There): void {
  const { sinceMs, calls, merges, erasures, keys } = found
  const since = new Date(sinceMs).toISOString()
  print(
    `The other database has ${numberedText(calls.length, 'call')}, ${numberedText(merges.length, 'merge')} and ${numberedText(erasures.length, 'erasure')} since ${since} that are missing here.`,
  )
  if (brought !== undefined) {
    print(
      `Brought over: ${numberedText(brought.calls, 'call')} with ${numberedText(brought.items, 'item')}, ${numberedText(brought.merges, 'merge')}, ${numberedText(brought.erasures, 'erasure')}. ${numberedText(brought.withoutRows.length, 'call')} left no rows there.`,
    )
    for (const refusal of brought.refused) print(`Refused now: ${refusal}`)
  }
  if (erasedIds > 0 && brought === undefined)
    print(`${numberedText(erasedIds, 'id')} of persons who were erased there are not erased here: --repair erases them again.`)
  if (erasedIds > 0 && brought !== undefined)
    print(
      `${numberedText(erasedIds, 'id')} of persons who were erased there: known as such here now, and ${numberedText(again, 'erasure')} requested.`,
    )
  for (const { id, status, shopperId } of erasures) {
    if (shopperId === null && status !== 'completed')
      print(`Erasure ${id} is ${status} there, and names no person any more: ask for it again.`)
  }
  for (const { keyId, name, isRevoked } of keys) {
    if (!isRevoked) print(`Key ${keyId} (${name}) was made there, and is not known here: make another one.`)
    else if (revoked.includes(keyId)) print(`Key ${keyId} (${name}) was revoked there, and is revoked here now.`)
    else print(`Key ${keyId} (${name}) is revoked there, and good here: revoke it.`)
  }
}

function timelineLines({ from, to, isAcknowledged, gap }: Timeline): string[] {
  const what = `PostgreSQL changed its timeline from ${from} to ${to}`
  if (isAcknowledged) return [`${what}, which is acknowledged now.`]
  if (gap === undefined) return [`${what}: reconcile again acknowledges it when nothing is missing.`]
  return [
    `${gap}.`,
    `${what}: read the old database with --from, or import your own archive of the time before the change, then reconcile --acknowledge.`,
  ]
}
