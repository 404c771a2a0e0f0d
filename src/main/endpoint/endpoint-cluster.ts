import cluster, { type Worker } from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { exitOf, stopProcess } from '../embedded/process.ts'

const RESTART_MS_MIN = 200
const RESTART_MS_MAX = 10_000
/** More than a process takes to drain. */
const STOP_MS_MAX = 18_000

export interface KeptProcesses {
  /** Whether any of them does its work. */
  isServing: () => boolean
  stop: () => Promise<void>
}

/** What a process says when it does its work. */
export const READY = 'ready'

/**
 * Runs this program in so many processes that share its port, and starts again those that end: at once, and with pauses that
 * double when they do not last.
 * @returns undefined when one could not start, and has said why.
 */
export async function keepProcesses(count: number, log: Logger): Promise<KeptProcesses | undefined> {
  const stopping = new AbortController()
  const running = new Set<Worker>()
  const serving = new Set<Worker>()

  /** @returns whether it got ready. */
  const start = async (): Promise<[Worker, boolean]> => {
    const worker = cluster.fork()
    running.add(worker)
    worker.on('error', (error) => log.warn({ err: error }, 'a process of the endpoint cannot be reached'))
    const ended = exitOf(worker.process).then(() => {
      running.delete(worker)
      serving.delete(worker)
      return false
    })
    const ready = new Promise<true>((resolve) => {
      worker.on('message', (message) => {
        if (message !== READY) return
        serving.add(worker)
        resolve(true)
      })
    })
    return [worker, await Promise.race([ready, ended])]
  }

  const keep = async (first: Worker) => {
    let worker = first
    for (let pauseMs = RESTART_MS_MIN; !stopping.signal.aborted;) {
      const startedMs = performance.now()
      await exitOf(worker.process)
      if (stopping.signal.aborted) return
      const { pid, signalCode: signal, exitCode: code } = worker.process
      log.warn({ pid, signal, code }, 'a process of the endpoint ended; starting another one')
      if (performance.now() - startedMs > RESTART_MS_MAX) pauseMs = RESTART_MS_MIN
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      pauseMs = Math.min(2 * pauseMs, RESTART_MS_MAX)
      if (!stopping.signal.aborted) [worker] = await start()
    }
  }

  const stop = async () => {
    stopping.abort()
    await Promise.all([...running].map((worker) => stopProcess(worker.process, 'SIGTERM', STOP_MS_MAX)))
  }

  const started = await Promise.all(Array.from({ length: count }, start))
  if (started.every(([, isReady]) => isReady)) {
    for (const [worker] of started) void keep(worker)
    return { stop, isServing: () => serving.size > 0 }
  }
  await stop()
  return undefined
}
