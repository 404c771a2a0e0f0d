import { bottlenecksOf, capacityOf, countingOf, type Machines, type ServiceTimes, stationsOf } from './model.ts'

/** Latencies in milliseconds; Infinity when the load is more than the machines take. */
export interface Latency {
  recordedP99: number
  countedP99: number
}

/** Events of one run. */
const EVENTS = 60_000
const FLUSH_MAX = 1_000
/** A gateway sends so many durable calls at once. */
const FLUSHES_AT_ONCE = 4
const GROUP_MAX = 16_000
const MS = 1e-3

/** Servers that work first come, first served. @returns when a job that arrives then, and takes so long, is done. */
function station(servers: number): (atMs: number, tookMs: number) => number {
  const free = Array.from({ length: servers }, () => 0)
  return (atMs, tookMs) => {
    let first = 0
    for (let n = 1; n < free.length; n++) if (free[n]! < free[first]!) first = n
    const done = Math.max(atMs, free[first]!) + tookMs
    free[first] = done
    return done
  }
}

/** The same numbers in every run (mulberry32). */
function chance(): () => number {
  let state = 1
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Browsers that send one event a request, at random and whatever the answers take. A gateway puts what has come into one durable call as soon as one of
 * its calls is answered, so calls grow with the rate.
 */
export function singles(machines: Machines, times: ServiceTimes, perSecond: number): Latency {
  const [narrowest] = bottlenecksOf(stationsOf(machines, times, 1, FLUSH_MAX))
  if (perSecond >= capacityOf(narrowest!)) return { recordedP99: Infinity, countedP99: Infinity }
  const random = chance()
  const gateways = Array.from({ length: machines.gateways }, () => ({
    work: station(1),
    arrivals: [] as { sentMs: number; readyMs: number }[],
  }))
  for (let n = 0, atMs = 0; n < EVENTS; n++) {
    atMs += (-Math.log(1 - random()) * 1_000) / perSecond
    const gateway = gateways[n % gateways.length]!
    gateway.arrivals.push({ sentMs: atMs, readyMs: gateway.work(atMs, (times.request + times.gateway) * MS) })
  }
  const calls = callsOf(gateways, machines, times)
  return latencyOf(calls, machines, times)
}

interface CallDone {
  doneMs: number
  sentMs: number[]
}

type Waiting = { sentMs: number; readyMs: number }[]

/** The durable calls, in the order in which they begin. */
function callsOf(gateways: readonly { arrivals: Waiting }[], machines: Machines, times: ServiceTimes): CallDone[] {
  const endpoint = station(machines.endpoints)
  const restate = station(machines.restateCores)
  const postgres = station(machines.postgresCores * machines.shards)
  const senders = gateways.map(({ arrivals }) => ({ arrivals, next: 0, free: Array.from({ length: FLUSHES_AT_ONCE }, () => 0) }))
  const calls: CallDone[] = []
  for (;;) {
    const starts = senders.map(({ arrivals, next, free }) =>
      next < arrivals.length ? Math.max(arrivals[next]!.readyMs, Math.min(...free)) : Infinity,
    )
    const startMs = Math.min(...starts)
    if (startMs === Infinity) return calls
    const sender = senders[starts.indexOf(startMs)]!
    const first = sender.next
    while (
      sender.next < sender.arrivals.length &&
      sender.arrivals[sender.next]!.readyMs <= startMs &&
      sender.next - first < FLUSH_MAX
    )
      sender.next++
    const events = sender.next - first
    const restateMs = restate(startMs, (times.call.restate + events * times.restate) * MS)
    const endpointMs = endpoint(restateMs, (times.call.endpoint + events * times.endpoint) * MS)
    const doneMs = postgres(endpointMs, (times.call.postgres + events * times.record) * MS)
    sender.free[sender.free.indexOf(Math.min(...sender.free))] = doneMs
    calls.push({ doneMs, sentMs: sender.arrivals.slice(first, sender.next).map(({ sentMs }) => sentMs) })
  }
}

/** Counting takes what waits along, up to 16,000 events. */
function latencyOf(calls: readonly CallDone[], machines: Machines, times: ServiceTimes): Latency {
  const recorded = calls.flatMap(({ doneMs, sentMs }) => sentMs.map((sent) => doneMs - sent))
  const waiting = calls.toSorted((one, other) => one.doneMs - other.doneMs)
  const lanes = station(machines.lanes * machines.shards)
  const counted: number[] = []
  for (let at = 0; at < waiting.length;) {
    const startMs = Math.max(waiting[at]!.doneMs, lanes(0, 0))
    const group = []
    let events = 0
    while (at < waiting.length && waiting[at]!.doneMs <= startMs && events + waiting[at]!.sentMs.length <= GROUP_MAX) {
      events += waiting[at]!.sentMs.length
      group.push(waiting[at++]!)
    }
    const doneMs = lanes(startMs, (times.call.postgres + events * countingOf(machines, times)) * MS)
    for (const { sentMs } of group) counted.push(...sentMs.map((sent) => doneMs - sent))
  }
  return { recordedP99: p99(recorded), countedP99: p99(counted) }
}

function p99(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length * 0.99)]!
}
