import { z } from 'zod'
import { EventType, EventTypesResponse } from '../../contract/event-type.ts'
import { networkReasonOf } from './batch-sender.ts'

/** Where the weights in force can be asked for. */
export interface GatewayAccess {
  /** Without a slash at its end. */
  gatewayUrl: string
  key?: string | undefined
}

/** The event types with a weight, and the name of the weights; or why they are not known, as the end of a sentence. */
export type Weights = { name: string; types: ReadonlySet<string> } | { problem: string }

const ANSWER_MS_MAX = 5_000
/** Types with a weight are listed even when none of their events was counted, and counting a day costs least. */
const PATH = '/api/v1/analytic/event-types?days=1'

/** What is read of the answer, because the gateway may be of a release before. */
const Answer = z.object({
  data: z.array(EventType.pick({ event_type: true, weight: true })),
  meta: EventTypesResponse.shape.meta.pick({ weights: true }),
})

/** Asks the gateway for the weights in force. */
export async function weightsAt({ gatewayUrl, key }: GatewayAccess): Promise<Weights> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const answer = await fetch(`${gatewayUrl}${PATH}`, { headers, signal: AbortSignal.timeout(ANSWER_MS_MAX) })
    .then(async (response) => ({ status: response.status, json: await response.json() }))
    .catch((error: unknown) => ({ reason: error instanceof SyntaxError ? undefined : networkReasonOf(error) }))
  if ('reason' in answer && answer.reason !== undefined)
    return { problem: `no gateway answers at ${gatewayUrl} (${answer.reason})` }
  if ('status' in answer && [401, 403].includes(answer.status))
    return { problem: `the gateway at ${gatewayUrl} wants a key with the scope read (--key or FOOTFALL_KEY)` }
  const { data } = Answer.safeParse('json' in answer ? answer.json : undefined)
  if (data === undefined) return { problem: `the server at ${gatewayUrl} does not list event types` }
  const weighted = data.data.filter(({ weight }) => weight !== null)
  return { name: data.meta.weights, types: new Set(weighted.map(({ event_type: type }) => type)) }
}
