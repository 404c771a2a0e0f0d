import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FloodJob, LoadResult } from './job.ts'
import { latencyOf } from './latency.ts'
import { authorization } from './requests.ts'

/** Sends requests at their rate, however slowly they are answered. */
export async function flood({ url, key, from, paths, perSecond, hangUpMs, secondsMax }: FloodJob): Promise<LoadResult> {
  const { host, hostname, port } = new URL(url)
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  let requests = 0
  for (let ms = 0; ms < secondsMax * 1_000; ms = performance.now() - startMs) {
    for (; requests < (ms / 1_000) * perSecond; requests++) {
      const request = `GET ${paths[requests % paths.length]} HTTP/1.1\r\nhost: ${host}\r\n${authorization(key)}\r\n`
      const to = { host: hostname, port: Number(port), localAddress: from, noDelay: true }
      const socket = connect(to, () => socket.write(request))
      socket.on('error', () => undefined)
      setTimeout(() => socket.destroy(), hangUpMs)
    }
    await sleep(1_000 / perSecond)
  }
  const seconds = (performance.now() - startMs) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  return { requests, events: 0, errors: {}, seconds, latency: latencyOf([]), cpuSeconds: (user + system) / 1e6, sightings: [] }
}
