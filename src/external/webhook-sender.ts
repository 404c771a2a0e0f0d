import { lookup } from 'node:dns/promises'
import { type ClientRequest, type IncomingMessage, request as overHttp, type RequestOptions } from 'node:http'
import { request as overTls } from 'node:https'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { retryAfterOf } from './retry-after.ts'
import { hostOf, isPublicAddress, PRIVATE, targetProblem } from './webhook-target.ts'
import { signatureOf } from './webhook-signature.ts'

/** From the look-up of the name to the end of the answer. */
const SENDING_MS_MAX = 10_000
/** Of the answer's body, which is not kept. */
const ANSWER_BYTES_MAX = 64 * 1024
const HEADER_BYTES_MAX = 16 * 1024

export interface Webhook {
  url: string
  /** Names the delivery in a header: the same in each attempt. */
  deliveryId: string
  body: string
  /** The valid ones: each makes a signature. */
  secrets: readonly string[]
}

/** The status of the answer, and why the receiver did not take the webhook; no error means that it took it. */
export interface Sent {
  status: number | null
  error?: string
  /** For how long the receiver wants no further webhook. */
  retryAfterSeconds?: number
}

/** Sends a webhook once. It never rejects. */
export type SendWebhook = (webhook: Webhook) => Promise<Sent>

interface Address {
  address: string
  family: number
}

export interface SenderOptions {
  /** Whether webhooks may go to this machine and to private networks. */
  allowsPrivate: boolean
  sendingMsMax?: number
  /** DNS, or that of a test. */
  resolve?: (host: string) => Promise<Address[]>
}

/** Sends webhooks. Each opens a connection of its own to an address that was checked, and follows no redirect. */
export function createWebhookSender({
  allowsPrivate,
  sendingMsMax = SENDING_MS_MAX,
  resolve = addressesOf,
}: SenderOptions): SendWebhook {
  return async ({ url: text, deliveryId, body, secrets }) => {
    const problem = targetProblem(text, allowsPrivate)
    if (problem !== undefined) return { status: null, error: `the address ${problem}` }
    const url = new URL(text)
    const signal = AbortSignal.timeout(sendingMsMax)
    try {
      const addresses = await beforeAbort(resolveHost(hostOf(url), resolve), signal)
      if (!allowsPrivate && !addresses.every(({ address }) => isPublicAddress(address))) {
        return { status: null, error: `the address ${PRIVATE}` }
      }
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'footfall',
        'x-delivery-id': deliveryId,
        'x-signature': signatureOf(body, secrets, Date.now()),
      }
      // Some answers end a request without an event, so the time is bounded here too.
      return await beforeAbort(post(url, { headers, signal, ...connectingTo(addresses) }, body), signal)
    } catch (error) {
      return { status: null, error: signal.aborted ? `no answer within ${sendingMsMax / 1_000} s` : messageOf(error) }
    }
  }
}

/** The name is not looked up a second time, because DNS may answer otherwise then. */
function connectingTo(addresses: readonly Address[]): RequestOptions {
  return {
    agent: false,
    maxHeaderSize: HEADER_BYTES_MAX,
    lookup: (_host, options, done) => {
      if (options.all) done(null, [...addresses])
      else done(null, addresses[0]!.address, addresses[0]!.family)
    },
  }
}

async function resolveHost(host: string, resolve: (host: string) => Promise<Address[]>): Promise<Address[]> {
  const family = isIP(host)
  const addresses = family === 0 ? await resolve(host) : [{ address: host, family }]
  if (addresses.length === 0) throw new Error('the name of the host has no address')
  return addresses
}

const addressesOf = (host: string) => lookup(host, { all: true })

function post(url: URL, options: RequestOptions, body: string): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const make = url.protocol === 'https:' ? overTls : overHttp
    const request: ClientRequest = make(url, { ...options, method: 'POST' }, (answer) => {
      readToEnd(request, answer).then(() => resolve(outcomeOf(answer)), reject)
    })
    request.on('upgrade', (answer: IncomingMessage, socket: Duplex) => {
      socket.destroy()
      resolve(outcomeOf(answer))
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Reads the answer, so that a receiver that works until its last byte is waited for. Its length is bounded. */
async function readToEnd(request: ClientRequest, answer: IncomingMessage): Promise<void> {
  let bytes = 0
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length
    if (bytes > ANSWER_BYTES_MAX) break
  }
  request.destroy()
}

function outcomeOf(answer: IncomingMessage): Sent {
  const { statusCode: status = 0 } = answer
  if (status >= 200 && status < 300) return { status }
  if (status >= 300 && status < 400) return { status, error: 'answered with a redirect, which is not followed' }
  const retryAfterSeconds = retryAfterOf(answer, Date.now())
  return { status, error: `answered ${status}`, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }
}

function beforeAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    work.then(resolve, reject)
  })
}

/** Without the texts of the receiver. */
function messageOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === undefined ? message : `${code}: ${message}`
}
