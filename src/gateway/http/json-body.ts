import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodType } from 'zod'
import { type ItemList, parseBody } from '../../admission/request-items.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import { PUBLISHABLE_BODY_BYTES_MAX } from '../../contract/interaction.ts'
import { type BodyBudget, type BodyLimits, createBodyBudget, type Hold } from './body-budget.ts'
import type { PacedBody } from './body-pace.ts'
import { clientAddress } from './client-address.ts'
import { FORM, NOT_A_FORM, parseForm } from './form-body.ts'
import { createInflater } from './inflate.ts'
import { askForBody } from './early-answer.ts'
import type { BodyTurn } from './loop-share.ts'
import { refuseMany, weigh } from './body-weight.ts'
import type { GatewayObserver } from './observer.ts'
import { NOT_JSON } from './problem.ts'
import { readBody, tooLarge } from './read-body.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** For a route without keys: how it recognises the sender of a body. */
    signature?: BodySignature
    /** The field of a body that lists items. Such a body is not parsed here: the route takes its bytes. */
    list?: ItemList
  }
  interface FastifyRequest {
    /** Whether its body passed the check of its signature. */
    isSigned: boolean
    /** The room of its body, until it is answered. */
    bodyHold: Hold | null
  }
}

export interface BodySignature {
  /**
   * Checks what shows before the body is read. @returns whether the headers say that the body is signed; a body of which only its
   * check can tell gets less room. @throws DecidedError when it cannot be signed.
   */
  isShown: (request: FastifyRequest) => boolean
  /** Checks that the sender signed these bytes. @throws DecidedError when not. */
  check: (request: FastifyRequest, body: Buffer) => Promise<void>
  /** Whether the body has a form that Footfall does not know. It may be of any content type, and the route takes its bytes. */
  hasForeignForm?: boolean
}

export interface BodyDeps {
  limits: BodyLimits
  observer: Pick<GatewayObserver, 'turnedAway'>
  /** How fast a body is read from the network. */
  pace: (request: FastifyRequest) => PacedBody
  /** When a body that has arrived may be read. */
  bodyTurn: BodyTurn
  /** Whose turn it is when compressed bodies wait. */
  callerOf: (request: FastifyRequest) => string
}

/** Anyone can send a signature that is wrong, so these bodies have room of their own, and little of it. */
const SIGNED_SHARE = 1 / 4
const UNSHOWN_SHARE = 1 / 16
/** The largest body of a route with signatures must fit. */
const SIGNED_BYTES_MIN = 2 * 1024 * 1024

/**
 * Reads bodies as JSON, as the fields of a form where a route is for a page, or as bytes where a route takes any form. The beacon of a page can only send text/plain, so that is read as JSON
 * too: with a publishable key, or as long as no keys are used.
 */
export function parseJsonBodies(app: FastifyInstance, { bodyTurn, callerOf, ...deps }: BodyDeps): void {
  const { observer } = deps
  const budgetOf = budgetFinder(deps.limits)
  const inflate = createInflater(callerOf)
  const inflated = async (request: FastifyRequest, body: Buffer, budget: BodyBudget) => {
    return watched(observer, () => {
      request.bodyHold ??= budget.hold(clientAddress(request.ip), body.length)
      return inflate(request, body, { bytesMax: bytesMaxOf(request), hold: request.bodyHold })
    })
  }
  app.decorateRequest('isSigned', false)
  app.decorateRequest('bodyHold', null)
  app.decorateRequest('isLarge', false)
  app.decorateRequest('isListAlone', false)
  app.addHook('onSend', (request, _reply, _payload, done) => {
    request.bodyHold?.release()
    done()
  })
  app.removeAllContentTypeParsers()
  const read = async (request: FastifyRequest, payload: IncomingMessage): Promise<unknown> => {
    const { takesForm = false } = request.routeOptions.config
    if (takesForm !== isForm(request)) throw new DecidedError('invalid_request', takesForm ? NOT_A_FORM : NOT_JSON)
    const isCompressed = isGzip(request)
    const budget = budgetOf(request)
    const sent = bodyAtHand(request, payload) ?? (await bodyOf(request, payload, budget, deps))
    const body = isCompressed ? await inflated(request, sent, budget) : sent
    const { signature, list } = request.routeOptions.config
    // Bodies whose last bytes arrive together would be parsed in one turn of the event loop.
    await bodyTurn(request, () => weigh(request, body))
    refuseMany(request)
    await signature?.check(request, body)
    request.isSigned = signature !== undefined
    if (takesForm) return parseForm(body)
    if (body.length === 0 && takesNoBody(request)) return undefined
    const json = withoutMark(body)
    return list !== undefined || signature?.hasForeignForm ? json : parseBody(json)
  }
  app.addContentTypeParser(['application/json', 'text/plain', FORM], read)
  app.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage): Promise<unknown> => {
    const { signature, takesForm } = request.routeOptions.config
    if (!signature?.hasForeignForm) throw new DecidedError('invalid_request', takesForm ? NOT_A_FORM : NOT_JSON)
    return read(request, payload)
  })
}

/** Some programs begin a text in UTF-8 with a byte order mark, which a parser of JSON may ignore (RFC 8259, 8.1), and Restate's does. */
function withoutMark(body: Buffer): Buffer {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body
}

/** Webhooks may be forms too, which their routes read. */
function isForm({ headers, routeOptions: { config } }: FastifyRequest): boolean {
  return config.signature?.hasForeignForm !== true && headers['content-type']?.split(';')[0]!.trim().toLowerCase() === FORM
}

/** Clients name a content type also where they send nothing. */
function takesNoBody({ routeOptions: { schema, config } }: FastifyRequest): boolean {
  const body = schema?.body as ZodType | undefined
  return config.signature === undefined && config.list === undefined && (body === undefined || body.safeParse(undefined).success)
}

/** Whether a body is compressed. @throws DecidedError for an encoding or a content type that is not read. */
function isGzip({ headers, apiKey, routeOptions }: FastifyRequest): boolean {
  if (headers['content-type']?.startsWith('text/') && apiKey?.isPublishable === false) {
    throw new DecidedError('invalid_request', NOT_JSON)
  }
  const encoding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  if (encoding === 'identity' || encoding === '') return false
  // A signature is over the bytes of the sender, and anyone may send a wrong one: its body would be inflated for nothing.
  if (routeOptions.config.signature !== undefined) {
    throw new DecidedError('invalid_request', 'signed bodies are read without content-encoding only')
  }
  if (encoding === 'gzip' || encoding === 'x-gzip') return true
  throw new DecidedError('invalid_request', 'bodies are read without content-encoding, or with gzip')
}

/** The most bytes of a body that is inflated. */
function bytesMaxOf({ apiKey, routeOptions }: FastifyRequest): number {
  return apiKey?.isPublishable ? Math.min(PUBLISHABLE_BODY_BYTES_MAX, routeOptions.bodyLimit) : routeOptions.bodyLimit
}

/** Which budget a body is part of. @throws DecidedError for a body that cannot be signed as its route demands. */
function budgetFinder(limits: BodyLimits): (request: FastifyRequest) => BodyBudget {
  const budget = createBodyBudget(limits)
  const signed = createBodyBudget(shareOf(limits, SIGNED_SHARE))
  const unshown = createBodyBudget(shareOf(limits, UNSHOWN_SHARE))
  return (request) => {
    const { signature, takesForm } = request.routeOptions.config
    // A form without a caller signs in: anyone may send it.
    if (takesForm && request.apiKey === null) return unshown
    if (signature === undefined) return budget
    return signature.isShown(request) ? signed : unshown
  }
}

function shareOf({ bytesMax, clientBytesMax }: BodyLimits, share: number): BodyLimits {
  const part = (bytes: number) => Math.max(SIGNED_BYTES_MIN, bytes * share)
  return { bytesMax: part(bytesMax), clientBytesMax: part(clientBytesMax * share) }
}

/** A body that came with its headers, as most do. It is in memory already, and small. */
function bodyAtHand(request: FastifyRequest, payload: IncomingMessage): Buffer | undefined {
  const bytes = declaredBytesOf(request)
  if (bytes === undefined || payload.readableLength < bytes || bytes > request.routeOptions.bodyLimit) return undefined
  const body = payload.read() as Buffer | null
  payload.resume()
  return body ?? Buffer.alloc(0)
}

function declaredBytesOf({ headers: { 'content-length': length } }: FastifyRequest): number | undefined {
  return length === undefined ? undefined : Number(length)
}

async function bodyOf(
  request: FastifyRequest,
  payload: IncomingMessage,
  budget: BodyBudget,
  { observer, pace }: Pick<BodyDeps, 'observer' | 'pace'>,
): Promise<Buffer> {
  const declaredBytes = declaredBytesOf(request)
  const bytesMax = request.routeOptions.bodyLimit
  if (declaredBytes !== undefined && declaredBytes > bytesMax) throw tooLarge(bytesMax)
  return watched(observer, () => {
    request.bodyHold = budget.hold(clientAddress(request.ip), declaredBytes ?? 0)
    askForBody(payload)
    const paced = payload.socket instanceof Socket ? pace(request) : undefined
    return readBody(payload, { declaredBytes, bytesMax, hold: request.bodyHold, paced })
  })
}

/** Counts the bodies that are turned away. */
async function watched(observer: BodyDeps['observer'], read: () => Promise<Buffer>): Promise<Buffer> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof DecidedError && error.code === 'unavailable') observer.turnedAway('bodies_full')
    throw error
  }
}
