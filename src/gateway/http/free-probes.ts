import type { IncomingMessage } from 'node:http'
import { clientAddress } from './client-address.ts'

const PROBES = new Set<string | undefined>(['/health', '/ready'])

export function isProbe(path: string | undefined): boolean {
  return PROBES.has(path)
}

/** Supervisors and load balancers ask once a second or more rarely. Several of them may have the same address. */
const PER_CLIENT_MAX = 10
const OF_ALL_MAX = 200
const PERIOD_MS = 1_000

const free = new WeakSet<IncomingMessage>()

/** Whether a request is answered immediately, because a supervisor takes a process that does not answer for dead. */
export function isFreeProbe(request: IncomingMessage): boolean {
  return free.has(request)
}

/** @returns a function that frees the first probes of each second and client from waiting, and says whether a request is such a probe. */
export function createFreeProbes(nowMs = () => performance.now()): (request: IncomingMessage) => boolean {
  const taken = new Map<string, number>()
  let all = 0
  let endMs = -Infinity
  return (request) => {
    if (!isProbe(request.url)) return false
    if (nowMs() >= endMs) {
      endMs = nowMs() + PERIOD_MS
      all = 0
      taken.clear()
    }
    const client = clientAddress(request.socket.remoteAddress)
    const before = taken.get(client) ?? 0
    if (before >= PER_CLIENT_MAX || all >= OF_ALL_MAX) return false
    taken.set(client, before + 1)
    all++
    free.add(request)
    return true
  }
}
