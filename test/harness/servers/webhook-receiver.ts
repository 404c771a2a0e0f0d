import { readFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { DeliveryBody } from '../../../src/contract/alert-delivery.ts'
import type { Certificates } from './certificates.ts'

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

/** A server that keeps what it received, and answers 204 unless told otherwise. With certificates it takes TLS only. */
export async function startWebhookReceiver(certificates?: Certificates): Promise<WebhookReceiver> {
  const received: Received[] = []
  const takes = (response: ServerResponse) => void response.writeHead(204).end()
  let how: (response: ServerResponse, received: Received) => void = takes
  const receive: RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const one = { path: request.url!, headers: request.headers, text, body: JSON.parse(text) as DeliveryBody }
      received.push(one)
      how(response, one)
    })
    request.on('error', () => undefined)
  }
  const server = certificates === undefined ? createServer(receive) : await tlsServer(certificates, receive)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `${certificates === undefined ? 'http' : 'https'}://127.0.0.1:${port}/hook`,
    port,
    received,
    answer: (other) => void (how = other),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function tlsServer({ certFile, keyFile }: Certificates, receive: RequestListener) {
  return createTlsServer({ cert: await readFile(certFile), key: await readFile(keyFile) }, receive)
}
