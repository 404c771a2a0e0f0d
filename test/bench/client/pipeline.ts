import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadResult, PipelineJob } from './job.ts'
import { latencyOf } from './latency.ts'
import { authorization } from './requests.ts'

const ANSWER = Buffer.from('HTTP/1.1 ')

/** Keeps `depth` requests in flight on each connection, and opens a connection again when the server closes it. */
export async function pipeline({ url, key, from, connections, depth, secondsMax }: PipelineJob): Promise<LoadResult> {
  const { host, hostname, port, pathname } = new URL(url)
  const request = `GET ${pathname} HTTP/1.1\r\nhost: ${host}\r\n${authorization(key)}\r\n`
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  const sockets = new Set<Socket>()
  let requests = 0
  let isOver = false

  const openOne = () => {
    if (isOver) return
    const to = { host: hostname, port: Number(port), localAddress: from, noDelay: true }
    const socket = connect(to, () => socket.write(request.repeat(depth)))
    sockets.add(socket)
    socket.on('error', () => undefined)
    const countAnswers = answerCounter((answers) => {
      requests += answers
      socket.write(request.repeat(answers))
    })
    socket.on('data', countAnswers)
    socket.on('close', () => {
      sockets.delete(socket)
      openOne()
    })
  }
  for (let opened = 0; opened < connections; opened++) openOne()
  await sleep(secondsMax * 1_000)
  isOver = true
  for (const socket of sockets) socket.destroy()
  const seconds = (performance.now() - startMs) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  const cpuSeconds = (user + system) / 1e6
  return { requests, events: 0, errors: {}, seconds, latency: latencyOf([]), cpuSeconds, sightings: [] }
}

/** Counts the beginnings of answers without reading them, also when one is split between two pieces. */
function answerCounter(onAnswers: (count: number) => void): (piece: Buffer) => void {
  let end = Buffer.alloc(0)
  return (piece) => {
    const held = Buffer.concat([end, piece])
    let count = 0
    for (let place = held.indexOf(ANSWER); place >= 0; place = held.indexOf(ANSWER, place + ANSWER.length)) count++
    end = held.subarray(-(ANSWER.length - 1))
    if (count > 0) onAnswers(count)
  }
}
