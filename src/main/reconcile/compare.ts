import { recordedAmong } from '../../store/log/recorded-call.ts'
import type { Queryable } from '../../store/database/connection.ts'
import { callsById, carriersOf, type CompletedCall, completedCalls, provenAs, restateNowMs } from './completed-calls.ts'

/** A call that Restate has completed and PostgreSQL lacks. */
export interface LostCall {
  /** The invocation whose proof is missing. */
  id: string
  /** What Restate has of it: the call itself, and those that recorded what it brought. In the order of their ends. */
  parts: readonly CompletedCall[]
}

export interface Comparison {
  fromMs: number
  toMs: number
  /** How many completed calls were looked for. */
  compared: number
  lost: LostCall[]
  /** Calls whose items wait in Restate for PostgreSQL. */
  waiting: number
  /** Calls of which nothing can be said: those of an earlier release that left no trace, and those whose origin Restate has forgotten. */
  unchecked: number
}

/** What a call has sent on has arrived in Restate by then. */
const SENT_MS = 2_000

/**
 * Compares the calls that Restate has completed since then with what PostgreSQL has. Restate is read first: a call that it has completed was
 * committed before. So what goes on meanwhile is no false alarm.
 */
export async function compare(adminUrl: string, db: Queryable, sinceMs: number, sentMs = SENT_MS): Promise<Comparison> {
  const nowMs = await restateNowMs(adminUrl)
  const [fromMs, toMs] = [nowMs - sinceMs, nowMs - sentMs]
  let [compared, unchecked] = [0, 0]
  const missing = new Map<string, CompletedCall[]>()
  for await (const page of completedCalls(adminUrl, fromMs, toMs)) {
    const { byId, unknown } = await byProof(adminUrl, page)
    unchecked += unknown
    compared += page.length - unknown
    const recorded = await recordedAmong(db, [...byId.keys()])
    for (const [id, calls] of byId) if (!recorded.has(id)) missing.set(id, [...(missing.get(id) ?? []), ...calls])
  }
  const { lost, waiting } = await settled(adminUrl, db, missing)
  return { ...{ fromMs, toMs, compared, waiting, unchecked }, lost: inOrder(lost.map((id) => ({ id, parts: missing.get(id)! }))) }
}

/** Calls and their parts in the order of their ends. */
function inOrder(calls: readonly LostCall[]): LostCall[] {
  const byEnd = (one: CompletedCall, other: CompletedCall) =>
    one.completedAt < other.completedAt ? -1 : Number(one.completedAt > other.completedAt)
  const sorted = calls.map(({ id, parts }) => ({ id, parts: parts.toSorted(byEnd) }))
  return sorted.toSorted((one, other) => byEnd(one.parts.at(-1)!, other.parts.at(-1)!))
}

/** The calls by the id of their proof. */
async function byProof(adminUrl: string, page: readonly CompletedCall[]) {
  const byId = new Map<string, CompletedCall[]>()
  let unknown = 0
  // What a recorder set aside may have come from a call that left its place before.
  const recorders = await callsById(
    adminUrl,
    page.flatMap(({ invokedBy }) => (invokedBy?.service === 'Recorder' ? [invokedBy.id] : [])),
  )
  for (const call of page) {
    const { invokedBy } = call
    const recorder = invokedBy?.service === 'Recorder' ? recorders.get(invokedBy.id) : call
    if (!call.isProvable || recorder === undefined) unknown++
    else byId.set(provenAs(recorder), [...(byId.get(provenAs(recorder)) ?? []), call])
  }
  return { byId, unknown }
}

/** How often what a call brought is sent on: to a recorder, and set aside there. */
const SENT_ON_MAX = 2

/** Which of the missing calls are lost, and how many wait in Restate for PostgreSQL. */
async function settled(adminUrl: string, db: Queryable, missing: ReadonlyMap<string, readonly CompletedCall[]>) {
  const waiting = new Set<string>()
  const sentOn = new Set<string>()
  let origins = new Map([...missing.keys()].map((id) => [id, id]))
  for (let times = 0; times < SENT_ON_MAX && origins.size > 0; times++) {
    const carriers = await carriersOf(adminUrl, new Set(origins.keys()))
    const originOf = (invokedBy: string) => origins.get(invokedBy)!
    for (const { invokedBy, isCompleted } of carriers) (isCompleted ? sentOn : waiting).add(originOf(invokedBy))
    origins = new Map(carriers.map(({ id, invokedBy }) => [id, originOf(invokedBy)]))
  }
  const maybe = [...missing.keys()].filter((id) => !waiting.has(id))
  // Those that were sent on may have been recorded since the page was compared.
  const recorded = await recordedAmong(db, [...sentOn])
  return { lost: maybe.filter((id) => !recorded.has(id)), waiting: waiting.size }
}
