import { fork } from 'node:child_process'
import { join } from 'node:path'
import { CHECKOUT } from './config/checkout.ts'
import { StartError } from './config/start-error.ts'
import type { StartAnswer, StartQuestion, StartSteps } from './start-steps.ts'

/** The process that does what a start does once (`start-steps.ts`). */
export interface Preparation {
  /** @throws what the step throws, and when the process has ended. */
  run: <Name extends keyof StartSteps>(
    name: Name,
    ...input: Parameters<StartSteps[Name]>
  ) => Promise<Awaited<ReturnType<StartSteps[Name]>>>
  end: () => void
}

/** Starts it. It ends by itself when this process does. */
export function openPreparation(): Preparation {
  const open = new Map<number, PromiseWithResolvers<unknown>>()
  let lastId = 0
  // Detached, so that Ctrl-C reaches it through this process. Advanced, because JSON has no undefined and no Error.
  const child = fork(join(CHECKOUT, 'src', 'main', 'start-steps.ts'), { detached: true, serialization: 'advanced' })
  child.on('message', ({ id, value, failed }: StartAnswer) => {
    const asked = open.get(id)
    open.delete(id)
    if (failed === undefined) asked?.resolve(value)
    else asked?.reject(failed.isSentence ? new StartError((failed.error as Error).message) : failed.error)
  })
  const giveUp = () => {
    for (const { reject } of open.values()) reject(new Error('the process that prepares the start has ended'))
    open.clear()
  }
  child.on('error', giveUp)
  child.on('exit', giveUp)
  return {
    run: async (name, ...input) => {
      const asked = Promise.withResolvers<unknown>()
      const id = ++lastId
      open.set(id, asked)
      child.send({ id, name, input } satisfies StartQuestion, (error) => error && giveUp())
      return asked.promise as never
    },
    end: () => void child.kill('SIGKILL'),
  }
}
