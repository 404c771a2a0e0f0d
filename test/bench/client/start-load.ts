import { fork } from 'node:child_process'
import { join } from 'node:path'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import type { FromLoad, Job, LoadResult, ToLoad } from './job.ts'

export interface LoadProcess {
  pid: number
  /** Prepares a job; the returned function starts the clock, and throws when any answer was wrong. */
  prepare: (job: Job) => Promise<() => Promise<LoadResult>>
  stop: () => Promise<void>
}

interface Pending {
  resolve: (answer: FromLoad) => void
  reject: (error: Error) => void
}

/** Starts the process that sends the load. */
export function startLoad(): LoadProcess {
  const child = fork(join(import.meta.dirname, 'load-process.ts'))
  const pending = new Map<number, Pending>()
  child.on('message', (answer: FromLoad) => {
    const { resolve, reject } = pending.get(answer.id)!
    if ('failed' in answer) reject(new Error(answer.failed))
    else resolve(answer)
  })
  child.on('exit', () => {
    for (const { reject } of pending.values()) reject(new Error('the load process ended'))
  })
  const ask = (question: ToLoad) =>
    new Promise<FromLoad>((resolve, reject) => {
      pending.set(question.id, { resolve, reject })
      child.send(question)
    })
  let jobs = 0
  return {
    pid: child.pid!,
    prepare: async (job) => {
      const id = ++jobs
      await ask({ id, job })
      return async () => {
        const { result } = (await ask({ id, go: true })) as { result: LoadResult }
        return job.areErrorsCounted ? result : withoutErrors(result)
      }
    },
    stop: () => stopProcess(child, 'SIGTERM'),
  }
}

function withoutErrors(result: LoadResult): LoadResult {
  const errors = Object.entries(result.errors)
  if (errors.length > 0) throw new Error(errors.map(([error, times]) => `${times} × ${error}`).join('\n'))
  return result
}
