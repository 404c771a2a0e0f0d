import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** Ten ticks a second: 100 respond-async requests and 50 calls of a service, each with one event. */
const TICK_MS = 100
const REQUESTS = 10
const CALLS = 5
/** A client of a service gives up then, and knows nothing about its event. */
const CALL_MS_MAX = 600_000
const PROBE_MS_MAX = 30_000

/** What must answer while PostgreSQL is away. */
const PROBES = ['ingress/Schedule/sweep/Info', 'ingress/Analytic/Ping'] as const
/** Less often: the gateway answers ten of them in a second at once, and further ones in turn. */
const HEALTH = 'gateway/health'
const HEALTH_TICKS = 3

export interface Addresses {
  gatewayUrl: string
  ingressUrl: string
}

/** By outcome, the ids of events. `waiting` ones were answered with the invocation that will record them. */
export interface Outcomes {
  acknowledged: string[]
  waiting: string[]
  refused: string[]
  unknown: string[]
}

/** How long the probes took: in ticks of the load, which are late too on a busy machine, and in ms. */
export interface Probed {
  answered: number
  failures: string[]
  ticksMax: number
  msMax: number
  /** The slowest, and at which tick it began. */
  slowest: string
}

export interface OutageLoad {
  requests: Outcomes
  calls: Outcomes
  /** The probes since the last call of this. */
  probed: () => Probed
  /** Ends the load, and resolves when everything is answered. */
  stop: () => Promise<void>
}

/** Sends at a steady rate, however long answers take. */
export function startOutageLoad(addresses: Addresses): OutageLoad {
  const [requests, calls] = [noOutcomes(), noOutcomes()]
  const open = new Set<Promise<void>>()
  let probed = noProbes()
  let ticks = 0
  let isOver = false

  const keep = (work: Promise<void>) => void open.add(work.finally(() => open.delete(work)))
  const probe = async (path: string) => {
    const [into, tick, startedMs] = [probed, ticks, performance.now()]
    const [server, ...rest] = path.split('/')
    const url = `${server === 'gateway' ? addresses.gatewayUrl : addresses.ingressUrl}/${rest.join('/')}`
    const post = server === 'ingress' && { method: 'POST', headers: JSON_TYPE, body: '{}' }
    try {
      const answer = await fetch(url, { ...post, signal: AbortSignal.timeout(PROBE_MS_MAX) })
      if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
      await answer.arrayBuffer()
      into.answered++
    } catch (error) {
      into.failures.push(`${path}: ${String(error)}`)
    }
    into.ticksMax = Math.max(into.ticksMax, ticks - tick)
    const tookMs = Math.round(performance.now() - startedMs)
    if (tookMs > into.msMax) Object.assign(into, { msMax: tookMs, slowest: `${path} at tick ${tick}` })
  }
  const tick = () => {
    ticks++
    for (let n = 0; n < REQUESTS; n++) keep(request(addresses.gatewayUrl, requests))
    for (let n = 0; n < CALLS; n++) keep(call(addresses.ingressUrl, calls))
    for (const path of PROBES) keep(probe(path))
    if (ticks % HEALTH_TICKS === 0) keep(probe(HEALTH))
  }
  const run = async () => {
    while (!isOver) {
      tick()
      await sleep(TICK_MS)
    }
  }
  const running = run()
  return {
    requests,
    calls,
    probed: () => {
      const last = probed
      probed = noProbes()
      return last
    },
    stop: async () => {
      isOver = true
      await running
      await Promise.all(open)
    },
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }
const noOutcomes = (): Outcomes => ({ acknowledged: [], waiting: [], refused: [], unknown: [] })
const noProbes = (): Probed => ({ answered: 0, failures: [], ticksMax: 0, msMax: 0, slowest: '' })

function newEvent() {
  const event_id = randomUUID()
  const product = `p-${Math.floor(Math.random() * 50)}`
  const view = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: product }
  const body = JSON.stringify({ interactions: [{ ...view, event_id, occurred_at: new Date().toISOString() }] })
  return { id: event_id, body }
}

/** A browser that does not wait until its event is recorded. */
async function request(gatewayUrl: string, outcomes: Outcomes): Promise<void> {
  const { id, body } = newEvent()
  const headers = { ...JSON_TYPE, prefer: 'respond-async' }
  const answer = await fetch(`${gatewayUrl}/api/v1/analytic/interaction`, { method: 'POST', headers, body }).catch(
    () => undefined,
  )
  const text = await answer?.text()
  if (answer?.status === 202) outcomes.acknowledged.push(id)
  else if (text?.includes('nothing of this request was recorded')) outcomes.refused.push(id)
  else outcomes.unknown.push(id)
}

/** A service that calls the handler. */
async function call(ingressUrl: string, outcomes: Outcomes): Promise<void> {
  const { id, body } = newEvent()
  const signal = AbortSignal.timeout(CALL_MS_MAX)
  const answer = await fetch(`${ingressUrl}/Analytic/CreateInteraction`, {
    method: 'POST',
    headers: JSON_TYPE,
    body,
    signal,
  }).catch(() => undefined)
  const text = await answer?.text()
  if (answer?.status === 200) (text!.includes('"waiting"') ? outcomes.waiting : outcomes.acknowledged).push(id)
  else if (text?.includes('nothing of this call was recorded')) outcomes.refused.push(id)
  else outcomes.unknown.push(id)
}
