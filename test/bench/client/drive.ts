import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Answer, answerReader } from './answer.ts'
import type { LoadResult } from './job.ts'
import { latencyOf } from './latency.ts'

export interface Outgoing {
  bytes: Buffer
  events: number
  /** The problem of a 2xx answer; undefined when it is right. */
  problemOf: (body: Buffer, askedAtMs: number) => string | undefined
}

export interface Drive {
  url: string
  from?: string | undefined
  connections: number
  secondsMax: number
  pauseMs?: number | undefined
  /** Whether the connections start evenly over the pause. */
  isStaggered?: boolean | undefined
  /** The next request; undefined after the last one. */
  next: () => Outgoing | undefined
}

/** How long the last answers may take after the end of the run. */
const DRAIN_MS_MAX = 60_000
const OPENING_MAX = 100

/**
 * HTTP/1.1 on bare sockets with one request in flight on each, because the load shares its cores with the measured servers and
 * node:http's client uses several times as much CPU. @returns the run, whose connections are open already.
 */
export async function openDrive(drive: Drive): Promise<() => Promise<Omit<LoadResult, 'sightings'>>> {
  const { hostname, port } = new URL(drive.url)
  const sockets: Socket[] = []
  while (sockets.length < drive.connections) {
    const count = Math.min(OPENING_MAX, drive.connections - sockets.length)
    sockets.push(
      ...(await Promise.all(
        Array.from({ length: count }, () => open({ host: hostname, port: Number(port), localAddress: drive.from })),
      )),
    )
  }
  return () => run(drive, sockets)
}

async function open(to: { host: string; port: number; localAddress: string | undefined }): Promise<Socket> {
  const socket = connect({ ...to, noDelay: true })
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  return socket
}

async function run(drive: Drive, sockets: readonly Socket[]): Promise<Omit<LoadResult, 'sightings'>> {
  const milliseconds: number[] = []
  const errors: Record<string, number> = {}
  const fail = (error: string) => (errors[error] = (errors[error] ?? 0) + 1)
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  const endMs = startMs + drive.secondsMax * 1_000
  let events = 0
  const firstAfterMs = (place: number) => (drive.isStaggered ? ((drive.pauseMs ?? 0) * place) / sockets.length : 0)
  const ended = sockets.map((socket, place) =>
    sendAll(socket, {
      next: () => (performance.now() < endMs ? drive.next() : undefined),
      answered: ({ status, body }, request, askedAtMs) => {
        milliseconds.push(performance.now() - askedAtMs)
        const problem = status >= 200 && status < 300 ? request.problemOf(body, askedAtMs) : `${status} ${body.toString()}`
        if (problem === undefined) events += request.events
        else fail(problem.slice(0, 200))
      },
      failed: fail,
      pauseMs: drive.pauseMs,
      firstAfterMs: firstAfterMs(place),
    }),
  )
  const timer = setTimeout(() => sockets.forEach((socket) => socket.destroy()), drive.secondsMax * 1_000 + DRAIN_MS_MAX)
  await Promise.all(ended)
  clearTimeout(timer)
  const seconds = (performance.now() - startMs) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  const latency = latencyOf(milliseconds)
  return { requests: milliseconds.length, events, errors, seconds, latency, cpuSeconds: (user + system) / 1e6 }
}

interface Exchange {
  next: () => Outgoing | undefined
  answered: (answer: Answer, request: Outgoing, askedAtMs: number) => void
  failed: (error: string) => void
  pauseMs: number | undefined
  firstAfterMs: number
}

/** Sends one request after the other; resolves after the last one or when the connection is closed. */
function sendAll(socket: Socket, { next, answered, failed, pauseMs, firstAfterMs }: Exchange): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) {
      failed('the connection was closed before the clock started')
      return resolve()
    }
    let request: Outgoing | undefined
    let askedAtMs = 0
    const ask = () => {
      request = next()
      if (request === undefined) return socket.destroy()
      askedAtMs = performance.now()
      return socket.write(request.bytes)
    }
    const read = answerReader((answer) => {
      answered(answer, request!, askedAtMs)
      if (pauseMs === undefined) ask()
      else setTimeout(ask, pauseMs)
    })
    socket.on('data', (piece: Buffer) => {
      try {
        read(piece)
      } catch (error) {
        socket.destroy(error as Error)
      }
    })
    socket.on('error', (error) => failed(error.message))
    socket.on('close', (isBroken) => {
      if (request !== undefined && !isBroken) failed('the connection was closed without an answer')
      resolve()
    })
    if (firstAfterMs === 0) ask()
    else setTimeout(ask, firstAfterMs)
  })
}
