import cluster, { type Worker } from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { exitOf, stopProcess } from '../embedded/process.ts'
import { noticeIn, sendNotice } from '../embedded/notice.ts'

const RESTART_MS_MIN = 200
const RESTART_MS_MAX = 10_000

export interface KeptProcesses {
  /** Whether at least one process serves. */
  isServing: () => boolean
  stop: () => Promise<void>
}

export interface KeepOptions {
  /** What the processes are, for the log: the endpoint or the gateway. */
  name: string
  count: number
  /** How long a process may take to stop: more than it takes to drain. */
  stopMsMax: number
  log: Logger
}

/** The message of a process that serves. */
export const READY = 'ready'

/**
 * Runs this program in several processes that share its port, and replaces each that ends. The pause before a replacement doubles
 * from 200 ms to 10 s, and starts over after a process that lasted longer than that.
 * @returns undefined when a process could not start; that process has logged why.
 */
export async function keepProcesses({ name, count, stopMsMax, log }: KeepOptions): Promise<KeptProcesses | undefined> {
  const stopping = new AbortController()
  const running = new Set<Worker>()
  const serving = new Set<Worker>()

  /** @returns the process, and whether it became ready. */
  const start = async (): Promise<[Worker, boolean]> => {
    const worker = cluster.fork()
    running.add(worker)
    worker.on('error', (error) => log.warn({ err: error }, `a process of the ${name} cannot be reached`))
    const exited = exitOf(worker.process).then(() => {
      running.delete(worker)
      serving.delete(worker)
      return false
    })
    const ready = new Promise<true>((resolve) => {
      worker.on('message', (message) => {
        const notice = noticeIn(message)
        if (notice !== undefined) sendNotice(notice)
        if (message !== READY) return
        serving.add(worker)
        resolve(true)
      })
    })
    return [worker, await Promise.race([ready, exited])]
  }

  const keepRunning = async (first: Worker) => {
    let worker = first
    for (let pauseMs = RESTART_MS_MIN; !stopping.signal.aborted;) {
      const startedMs = performance.now()
      await exitOf(worker.process)
      if (stopping.signal.aborted) return
      const { pid, signalCode: signal, exitCode: code } = worker.process
      log.warn({ pid, signal, code }, `a process of the ${name} ended; starting another one`)
      if (performance.now() - startedMs > RESTART_MS_MAX) pauseMs = RESTART_MS_MIN
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      pauseMs = Math.min(2 * pauseMs, RESTART_MS_MAX)
      if (!stopping.signal.aborted) [worker] = await start()
    }
  }

  const stop = async () => {
    stopping.abort()
    await Promise.all([...running].map((worker) => stopProcess(worker.process, 'SIGTERM', stopMsMax)))
  }

  const started = await Promise.all(Array.from({ length: count }, start))
  if (started.every(([, isReady]) => isReady)) {
    for (const [worker] of started) void keepRunning(worker)
    return { stop, isServing: () => serving.size > 0 }
  }
  await stop()
  return undefined
}
