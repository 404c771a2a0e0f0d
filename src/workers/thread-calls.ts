import { Worker } from 'node:worker_threads'

/** What a thread does: functions of one argument, which it runs one after the other. */
export type ThreadMethods = Record<string, (args: never) => unknown>

/** A call as the thread gets it. */
export interface ThreadCall {
  method: string
  args: unknown
}

export interface Thread<Methods extends ThreadMethods> {
  /** Calls a method of the thread. `handedOver` are buffers of the argument that the thread gets without a copy. @throws when the thread ends first. */
  call: <Name extends keyof Methods & string>(
    method: Name,
    args: Parameters<Methods[Name]>[0],
    handedOver?: readonly ArrayBuffer[],
  ) => Promise<Awaited<ReturnType<Methods[Name]>>>
  /** Ends the thread; calls that wait are rejected. */
  stop: () => Promise<void>
}

interface Waiting {
  resolve: (result: never) => void
  reject: (error: Error) => void
}

/** Starts a thread whose file answers each call by one message, in their order. A fault in one ends it. */
export function startThread<Methods extends ThreadMethods>(
  entry: URL,
  name: string,
  { heapMegabytesMax }: { heapMegabytesMax?: number } = {},
): Thread<Methods> {
  const resourceLimits = heapMegabytesMax === undefined ? {} : { maxOldGenerationSizeMb: heapMegabytesMax }
  // The process's own options are for its main thread.
  const worker = new Worker(entry, { name, execArgv: [], resourceLimits })
  const waiting: Waiting[] = []
  let cause: unknown
  let hasEnded = false
  const endedError = () => new Error(`the thread ${name} has ended`, { cause })
  worker.on('message', (result) => waiting.shift()?.resolve(result as never))
  worker.on('error', (error) => (cause = error))
  worker.on('exit', () => {
    hasEnded = true
    for (const { reject } of waiting.splice(0)) reject(endedError())
  })
  return {
    call: (method, args, handedOver = []) => {
      if (hasEnded) return Promise.reject(endedError())
      const { promise, resolve, reject } = Promise.withResolvers<never>()
      waiting.push({ resolve, reject })
      worker.postMessage({ method, args } satisfies ThreadCall, [...handedOver])
      return promise
    },
    stop: async () => void (await worker.terminate()),
  }
}
