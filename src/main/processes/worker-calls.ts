import cluster, { type Worker } from 'node:cluster'

/** What the processes of a cluster may ask their primary: functions with values of JSON, by name. */
export type Answers = Record<string, (...input: never[]) => unknown>

/** Asks the primary. @throws Error when it failed there, or the primary is gone. */
export type Ask<A extends Answers> = <Name extends keyof A & string>(
  name: Name,
  ...input: Parameters<A[Name]>
) => Promise<Awaited<ReturnType<A[Name]>>>

/** Questions that came up in the same turn of the event loop are one message, because a message costs more than a question. */
interface Questions {
  questions: [id: number, name: string, input: unknown[]][]
}
interface Answered {
  answered: [id: number, outcome: { value?: unknown } | { problem: string }][]
}

/** Answers the processes of this primary. */
export function answerWorkers(answers: Answers): void {
  const answer = async (name: string, input: unknown[]) => {
    try {
      return { value: await (answers[name] as (...values: unknown[]) => unknown)(...input) }
    } catch (error) {
      return { problem: (error as Error).message }
    }
  }
  const answerAll = async (worker: Worker, questions: Questions['questions']) => {
    const answered = await Promise.all(questions.map(async ([id, name, input]) => [id, await answer(name, input)] as const))
    // A process that has ended in the meantime needs no answer.
    if (worker.isConnected()) worker.send({ answered }, () => undefined)
  }
  cluster.on('message', (worker, message: Partial<Questions>) => {
    if (Array.isArray(message?.questions)) void answerAll(worker, message.questions)
  })
}

/** @returns what asks the primary of this process. */
export function createAsk<A extends Answers>(): Ask<A> {
  const open = new Map<number, PromiseWithResolvers<unknown>>()
  let waiting: Questions['questions'] = []
  let lastId = 0

  process.on('message', ({ answered }: Partial<Answered>) => {
    if (!Array.isArray(answered)) return
    for (const [id, outcome] of answered) {
      const asked = open.get(id)
      open.delete(id)
      if ('problem' in outcome) asked?.reject(new Error(outcome.problem))
      else asked?.resolve(outcome.value)
    }
  })
  const giveUp = () => {
    for (const { reject } of open.values()) reject(new Error('the primary process is gone'))
    open.clear()
  }
  process.on('disconnect', giveUp)

  const send = () => {
    const questions = waiting
    waiting = []
    process.send?.({ questions } satisfies Questions, undefined, undefined, (error) => {
      if (error !== null) giveUp()
    })
  }

  return async (name, ...input) => {
    if (!process.connected) throw new Error('the primary process is gone')
    const asked = Promise.withResolvers<unknown>()
    const id = ++lastId
    open.set(id, asked)
    if (waiting.push([id, name, input]) === 1) setImmediate(send)
    return asked.promise as never
  }
}
