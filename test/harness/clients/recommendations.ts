import { expect } from 'vitest'
import { RecommendRequest, type RecommendResponse } from '../../../src/contract/recommendation.ts'
import { catalogApi } from '../../../src/contract/services.ts'
import { until } from '../../../src/main/embedded/until.ts'
import type { TestGateway } from '../servers/gateway.ts'
import type { Stack } from '../servers/stack.ts'

export interface RecommendAnswer {
  status: number
  json: RecommendResponse & { error?: { code: string; details?: { field: string }[] } }
}

async function answerOf(response: Response): Promise<RecommendAnswer> {
  return { status: response.status, json: (await response.json()) as RecommendAnswer['json'] }
}

/** Asks for recommendations by a query, whatever the answer is. */
export async function askFor(gateway: TestGateway, query: string): Promise<RecommendAnswer> {
  return answerOf(await fetch(`${gateway.url}/api/v1/recommendations?${query}`))
}

/** Posts a body to `/api/v1/…`, whatever the answer is. */
export async function post(gateway: TestGateway, path: string, body: object | string): Promise<RecommendAnswer> {
  const headers = { 'content-type': 'application/json' }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return answerOf(await fetch(`${gateway.url}/api/v1/${path}`, { method: 'POST', headers, body: text }))
}

/** The recommendations of a query, or of a body. @throws for any answer but 200. */
export async function recommended(gateway: TestGateway, question: string | object): Promise<RecommendResponse> {
  const { status, json } = await (typeof question === 'string'
    ? askFor(gateway, question)
    : post(gateway, 'recommendations', question))
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(json)}`)
  return json
}

const PATIENCE_MS = 20_000

/** Waits until the gateway answers with a version, and the handlers of a stack too. */
export async function waitForVersion(gateway: TestGateway, version: number, stack?: Stack): Promise<void> {
  const request = RecommendRequest.parse({ session_id: 'none' })
  const isServed = async () => (await recommended(gateway, 'session_id=none')).meta.similarity_version === version
  const isHandled = async () => (await stack!.ingress.client(catalogApi).Recommend(request)).meta.similarity_version === version
  expect(await until(isServed, PATIENCE_MS)).toBe(true)
  if (stack !== undefined) expect(await until(isHandled, PATIENCE_MS)).toBe(true)
}

export const idsOf = ({ data }: Pick<RecommendResponse, 'data'>): string[] => data.map(({ product_id }) => product_id)
