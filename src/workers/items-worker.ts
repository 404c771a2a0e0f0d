import { Worker } from 'node:worker_threads'
import { DecidedError } from '../contract/decided-error.ts'
import type { ItemsAnswer, ItemsInBytes, ItemsJob } from './protocol.ts'

export interface ItemsWorkerOptions {
  /** Megabytes of the thread's heap; a body that needs more is refused. */
  heapMegabytesMax?: number
  /** How long a body may take. The thread of a later one is ended. */
  jobMsMax?: number
  /** How long the thread stays without work. */
  idleMs?: number
}

/** From whom a body is. */
export interface Caller {
  /** Bodies of one caller wait for each other; callers take turns. */
  caller: string
  /** Whether the caller does not wait any more. */
  isGone: () => boolean
}

export interface ItemsWorker {
  /** Judges a body and writes its items. The bytes of the body are handed over to the thread, and not readable any more. */
  write: (job: ItemsJob, caller: Caller) => Promise<ItemsInBytes>
  /** Ends the thread, and everything that waits for it. */
  stop: () => Promise<void>
}

interface Waiting extends Caller {
  job: ItemsJob
  resolve: (written: ItemsInBytes) => void
  reject: (error: unknown) => void
}

const ENTRY = new URL('write-items.ts', import.meta.url)

/** Items are parsed one by one, so that a body of 16 MiB takes some 100 MB: its text, and the text of its written items. */
const HEAP_MEGABYTES_MAX = 256
/** The slowest body of 16 MiB, full of empty lists, takes 1 s on one core. */
const JOB_MS_MAX = 10_000
/** A thread takes 35 MB, and 0.3 s to start. */
const IDLE_MS = 60_000

/**
 * A thread for bodies that would hold up other requests, one at a time. It is started for the first body, and a new one when it has
 * ended, for whatever reason.
 */
export function createItemsWorker({
  heapMegabytesMax = HEAP_MEGABYTES_MAX,
  jobMsMax = JOB_MS_MAX,
  idleMs = IDLE_MS,
}: ItemsWorkerOptions = {}): ItemsWorker {
  const line = createLine()
  let worker: Worker | undefined
  let current: Waiting | undefined
  let timer: NodeJS.Timeout | undefined

  const start = (): Worker => {
    const started = new Worker(ENTRY, {
      name: 'items',
      // The process's own are for its main thread.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytesMax },
    })
    started.unref()
    let cause: unknown
    started.on('message', (answer: ItemsAnswer) => {
      settle(({ resolve, reject }) => ('written' in answer ? resolve(answer.written) : reject(refusalOf(answer))))
    })
    // A thread ends after an error, and can end without any.
    started.on('error', (error) => (cause = error))
    started.on('exit', () => {
      if (worker === started) end(cause)
    })
    return started
  }

  /** Ends the thread, and the body that it has; the next body gets a new one. */
  const end = (cause?: unknown) => {
    void worker?.terminate()
    worker = undefined
    settle(({ reject }) => reject(errorOf(cause)))
  }

  const settle = (settleOne: (one: Waiting) => void) => {
    const one = current
    current = undefined
    if (one !== undefined) settleOne(one)
    next()
  }

  const next = () => {
    if (current !== undefined) return
    clearTimeout(timer)
    current = line.next()
    if (current !== undefined) {
      worker ??= start()
      worker.postMessage(current.job, [current.job.body.buffer])
      timer = setTimeout(end, jobMsMax)
    } else if (worker !== undefined) timer = setTimeout(end, idleMs).unref()
  }

  return {
    write: (job, caller) => {
      const { promise, resolve, reject } = Promise.withResolvers<ItemsInBytes>()
      line.add({ job, ...caller, resolve, reject })
      next()
      return promise
    },
    stop: async () => {
      for (let one = line.next(); one !== undefined; one = line.next()) one.reject(errorOf(undefined))
      const { promise, resolve } = Promise.withResolvers<void>()
      if (worker === undefined) return
      worker.once('exit', () => resolve())
      end()
      await promise
    },
  }
}

interface Line {
  add: (one: Waiting) => void
  /** The next one whose caller still waits; callers take turns. */
  next: () => Waiting | undefined
}

function createLine(): Line {
  const byCaller = new Map<string, Waiting[]>()
  const take = (): Waiting | undefined => {
    for (const [caller, [first, ...rest]] of byCaller) {
      byCaller.delete(caller)
      if (rest.length > 0) byCaller.set(caller, rest)
      return first
    }
    return undefined
  }
  return {
    add: (one) => {
      const own = byCaller.get(one.caller)
      if (own === undefined) byCaller.set(one.caller, [one])
      else own.push(one)
    },
    next: () => {
      for (let one = take(); one !== undefined; one = take()) {
        if (!one.isGone()) return one
        one.reject(new DecidedError('unavailable', 'the caller has hung up'))
      }
      return undefined
    },
  }
}

function refusalOf({ refused: { code, problem, field, details } }: Extract<ItemsAnswer, { refused: object }>): DecidedError {
  return new DecidedError(code, problem, { ...(field !== undefined && { field }), ...(details && { details }) })
}

function errorOf(cause: unknown): DecidedError {
  if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new DecidedError('too_large', 'the body takes too much memory to check: send fewer items at once', { cause })
  }
  return new DecidedError('unavailable', 'the body could not be checked; nothing of it was recorded, send it again', { cause })
}
