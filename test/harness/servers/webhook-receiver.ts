import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { DeliveryBody } from '../../../src/contract/alert-delivery.ts'

export interface Received {
  path: string
  headers: IncomingHttpHeaders
  text: string
  body: DeliveryBody
}

export interface WebhookReceiver {
  url: string
  port: number
  received: Received[]
  /** How it answers from now on. */
  answer: (how: (response: ServerResponse, received: Received) => void) => void
  stop: () => Promise<void>
}

/** A server that keeps what it received, and answers 204 unless told otherwise. */
export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: Received[] = []
  const takes = (response: ServerResponse) => void response.writeHead(204).end()
  let how: (response: ServerResponse, received: Received) => void = takes
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const one = { path: request.url!, headers: request.headers, text, body: JSON.parse(text) as DeliveryBody }
      received.push(one)
      how(response, one)
    })
    request.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    received,
    answer: (other) => void (how = other),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
