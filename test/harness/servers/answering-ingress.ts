import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CreateInteractionRequest, CreateInteractionResponse } from '../../../src/contract/interaction.ts'

/**
 * A server that answers as Restate's ingress and as the gateway, without recording anything: for tests of what a command makes of answers.
 * Interactions with a `ref_id` that begins with `bad` are rejected, and with `old` they are duplicates.
 */
export interface AnsweringIngress {
  url: string
  /** The requests so far, e.g. `GET /restate/health`. */
  requests: string[]
  close: () => Promise<void>
}

/** @param answer an answer to every recording in place of the usual one; a promise that never resolves holds it back */
export async function startAnsweringIngress(answer?: () => Promise<{ status: number }>): Promise<AnsweringIngress> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    const answered = request.method === 'POST' ? recordingOf(request, answer) : Promise.resolve(readingOf(request))
    void answered.then(({ status, json }) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json)),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close }
}

type Answer = { status: number; json: unknown }

function readingOf({ url, headers }: IncomingMessage): Answer {
  if (url === '/restate/health') return { status: 200, json: {} }
  if (!url!.startsWith('/api/v1/analytic/event-types')) return { status: 404, json: {} }
  if (headers.authorization === 'Bearer wrong') return { status: 403, json: {} }
  const types = [
    ['view', 0.3],
    ['purchase', 0.8],
    ['cart', null],
  ].map(([event_type, weight]) => ({ event_type, weight, counter: null, events: 0 }))
  return { status: 200, json: { data: types, meta: { weights: 'balanced', days: 1 } } }
}

async function recordingOf(request: IncomingMessage, answer?: () => Promise<{ status: number }>): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const given = await answer?.()
  if (given !== undefined && given.status !== 200) return { ...given, json: { message: 'not now' } }
  const { interactions } = JSON.parse(Buffer.concat(chunks).toString()) as CreateInteractionRequest
  const indexes = (start: string) =>
    interactions.flatMap((each, index) => ((each as { ref_id: string }).ref_id.startsWith(start) ? [index] : []))
  const rejected = indexes('bad').map((index) => ({ index, code: 'invalid', field: 'ref_id', message: 'is bad' }) as const)
  const duplicates = indexes('old')
  const accepted = interactions.length - rejected.length - duplicates.length
  const json: CreateInteractionResponse = {
    accepted,
    duplicates: duplicates.length,
    duplicate_indexes: duplicates,
    rejected,
  }
  return { status: 200, json }
}
