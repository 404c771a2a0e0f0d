import { HttpCallError } from '@restatedev/restate-sdk-clients'
import type { Waiting } from '../contract/waiting.ts'

/** Waits for the end of invocations by their ids. @throws HttpCallError for one that failed, or that Restate does not know any more. */
export function attacherTo(url: string): (invocationId: string, signal: AbortSignal) => Promise<unknown> {
  const attach = async (invocationId: string, signal: AbortSignal): Promise<unknown> => {
    const answer = await fetch(`${url}/restate/invocation/${invocationId}/attach`, { signal })
    const text = await answer.text()
    if (!answer.ok) throw new HttpCallError(answer.status, text, `Restate answered ${answer.status} about ${invocationId}`)
    return followed(text === '' ? undefined : JSON.parse(text), (next) => attach(next, signal))
  }
  return attach
}

/** The answer itself, or that of the invocation which records the items of a call that found PostgreSQL away. */
export async function followed<Answer>(answer: Answer, attach: (invocationId: string) => Promise<unknown>): Promise<Answer> {
  const waiting = (answer as { waiting?: Waiting } | undefined)?.waiting
  return waiting === undefined ? answer : ((await attach(waiting.invocation_id)) as Answer)
}
