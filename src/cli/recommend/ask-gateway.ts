import { z } from 'zod'
import type { Shopper } from '../../contract/fields/shopper-id.ts'
import { ErrorBody } from '../../contract/error.ts'
import { type Blend, RecommendResponse } from '../../contract/recommendation.ts'
import { StartError } from '../../main/config/start-error.ts'

export interface Gateway {
  /** Without a slash at its end. */
  url: string
  key?: string | undefined
}

export interface RecommendQuestion {
  shopper: Shopper
  limit: number
  blend?: Blend | undefined
  explains: boolean
}

const ANSWER_MS_MAX = 10_000
/** Concurrent reads of products. */
const READS_MAX = 8

/** @throws StartError when there is no gateway, or when it refuses. */
export async function askRecommendations(gateway: Gateway, question: RecommendQuestion): Promise<RecommendResponse> {
  const { shopper, limit, blend, explains } = question
  const query = new URLSearchParams({
    [`${shopper.kind}_id`]: shopper.id,
    limit: String(limit),
    explain: String(explains),
    ...(blend !== undefined && { blend }),
  })
  const { status, text } = await ask(gateway, `/api/v1/recommendations?${query.toString()}`)
  if (status === 401 || status === 403)
    throw new StartError(`The gateway at ${gateway.url} wants a key with the scope read: give it by --key or FOOTFALL_KEY.`)
  const answer = RecommendResponse.safeParse(jsonOf(text))
  if (status === 200 && answer.success) return answer.data
  const problem = ErrorBody.safeParse(jsonOf(text)).data?.error.message ?? 'it does not know recommendations'
  throw new StartError(`The gateway at ${gateway.url} answered ${status}: ${problem}.`)
}

const Named = z.object({ data: z.object({ name: z.string() }) })

/** The names of products; those that the catalog does not have are left out. */
export async function namesOf(gateway: Gateway, productIds: Iterable<string>): Promise<Map<string, string>> {
  const waiting = [...new Set(productIds)]
  const names = new Map<string, string>()
  const readSome = async () => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      const { text } = await ask(gateway, `/api/v1/catalog/products/${encodeURIComponent(id)}`)
      const product = Named.safeParse(jsonOf(text)).data
      if (product !== undefined) names.set(id, product.data.name)
    }
  }
  await Promise.all(Array.from({ length: READS_MAX }, readSome))
  return names
}

async function ask({ url, key }: Gateway, path: string): Promise<{ status: number; text: string }> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  try {
    const response = await fetch(`${url}${path}`, { headers, signal: AbortSignal.timeout(ANSWER_MS_MAX) })
    return { status: response.status, text: await response.text() }
  } catch (error) {
    throw new StartError(`No gateway answers at ${url}: run npm start first, or give the address with --gateway.`, {
      cause: error,
    })
  }
}

/** Undefined for a text that is not JSON, which every schema rejects. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
