import { HttpCallError } from '@restatedev/restate-sdk-clients'
import type { Waiting } from '../contract/waiting.ts'
import { fetchFrom } from './addresses.ts'

/**
 * Waits for the end of an invocation by its id, and of at most so many more, each of which records the items of the one before: any number
 * unless given. @throws HttpCallError for one that failed, or that Restate does not know any more.
 */
export type Attach = (invocationId: string, signal: AbortSignal, followedMax?: number) => Promise<unknown>

export function attacherTo(addresses: string): Attach {
  const attach: Attach = async (invocationId, signal, followedMax = Infinity) => {
    const answer = await fetchFrom(addresses, `/restate/invocation/${invocationId}/attach`, { signal })
    const text = await answer.text()
    if (!answer.ok) throw new HttpCallError(answer.status, text, `Restate answered ${answer.status} about ${invocationId}`)
    const result: unknown = text === '' ? undefined : JSON.parse(text)
    return followedMax === 0 ? result : followed(result, (next) => attach(next, signal, followedMax - 1))
  }
  return attach
}

/** The answer itself, or that of the invocation which records the items of a call that found PostgreSQL away. */
export async function followed<Answer>(answer: Answer, attach: (invocationId: string) => Promise<unknown>): Promise<Answer> {
  const waiting = (answer as { waiting?: Waiting } | undefined)?.waiting
  return waiting === undefined ? answer : ((await attach(waiting.invocation_id)) as Answer)
}
