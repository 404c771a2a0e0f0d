import { Agent, request } from 'node:http'
import type { LargeJob, LoadResult } from './job.ts'
import { latencyOf } from './latency.ts'

const EVENTS = 10_000

/** Sends the same valid body, whose events get their ids from the gateway, on all connections at the same time, once. */
export async function sendLarge({ url, connections, bodyMegabytes }: LargeJob): Promise<LoadResult> {
  const body = bodyOf(bodyMegabytes * 1_000_000)
  const agent = new Agent({ maxSockets: connections })
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  const statuses: Record<string, number> = {}
  const milliseconds: number[] = []
  const send = async () => {
    const status = await statusOf(url, agent, body)
    statuses[status] = (statuses[status] ?? 0) + 1
    milliseconds.push(performance.now() - startMs)
  }
  await Promise.all(Array.from({ length: connections }, send))
  agent.destroy()
  const seconds = (performance.now() - startMs) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  return {
    requests: connections,
    events: (statuses['200'] ?? 0) * EVENTS,
    errors: statuses,
    seconds,
    latency: latencyOf(milliseconds),
    cpuSeconds: (user + system) / 1e6,
    sightings: [],
  }
}

function bodyOf(bytes: number): Buffer {
  const event = { session_id: 's-1', event_type: 'view', ref_type: 'Product', ref_id: 'lamp', metadata: { pad: '' } }
  const pad = 'x'.repeat(Math.floor(bytes / EVENTS) - JSON.stringify(event).length - 1)
  const text = JSON.stringify({ ...event, metadata: { pad } })
  return Buffer.from(`{"interactions":[${Array<string>(EVENTS).fill(text).join(',')}]}`)
}

/** The status of the answer, or the code of the error. */
function statusOf(url: string, agent: Agent, body: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length }
    const sent = request(url, { method: 'POST', agent, headers }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve(String(answer.statusCode)))
      answer.on('error', (error) => resolve(error.message))
    })
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    sent.end(body)
  })
}
