import { setTimeout as sleep } from 'node:timers/promises'

/** How long an address may be silent before the next one is asked too, because its machine may be gone without a word. */
const SILENT_MS_MAX = 1_000
/**
 * How many requests are asked again at the same moment because their address is silent, so that a Restate that is only slow gets little more to
 * do. A place is free again after a second, and at once when its request is answered: so all requests of a lost machine move on quickly.
 */
const SECOND_ASKS_MAX = 8
/** Between two looks for a free place among them. */
const PLACE_POLL_MS = 50
/** Between the two rounds through the addresses. */
const PAUSE_MS = 100
const ROUNDS = 2
/** What a node says of every service in the first seconds after its start, and of one that is not registered. */
const UNKNOWN_SERVICE = /make sure to register/
/**
 * Of every request. Restate sends no redirects, one would take the operator token elsewhere, and `fetch` copies each body once more unless redirects
 * are errors.
 */
const NO_REDIRECT = { redirect: 'error' } as const

/** The places of the addresses that answered last, by the text of all of them. */
const lastGood = new Map<string, number>()
let secondAsks = 0

/** The addresses in a text with commas between them, without slashes at their ends. */
export function addressesIn(text: string): string[] {
  return text.split(/\s*,\s*(?=https?:\/\/)/i).map((address) => address.trim().replace(/\/+$/, ''))
}

/** Ways of asking that differ from the usual one. */
export interface AskOptions {
  /** The next address is asked only after the one before failed, for requests that should not run twice at the same moment. */
  isOneByOne?: boolean
}

/**
 * Asks one of several addresses of the same Restate, beginning with the one that answered last, and the next one when that cannot be
 * reached, breaks off, answers 502, 503 or 504, does not know the service yet, or is silent for a second: each address at most twice,
 * within the time of the caller's signal. Restate may get the request twice by this, so it must be a read, have an idempotency key, or have the same effect twice.
 */
export async function fetchFrom(
  addresses: string,
  path: string,
  init: RequestInit = {},
  { isOneByOne = false }: AskOptions = {},
): Promise<Response> {
  const list = addressesIn(addresses)
  if (list.length === 1) return fetch(`${list[0]}${path}`, { ...init, ...NO_REDIRECT })
  const ended = new AbortController()
  const signal = init.signal ? AbortSignal.any([ended.signal, init.signal]) : ended.signal
  const first = lastGood.get(addresses) ?? 0
  const ask = async (attempt: number): Promise<Response> => {
    const place = (first + attempt) % list.length
    const answer = await wholeAnswer(`${list[place]}${path}`, { ...init, signal })
    lastGood.set(addresses, place)
    return answer
  }
  try {
    return await answerOf(ask, { attempt: 0, attemptsMax: ROUNDS * list.length, perRound: list.length, isOneByOne, signal })
  } catch (error) {
    if (error instanceof UnservedError) return error.answer
    throw error
  } finally {
    ended.abort()
  }
}

/**
 * Asks the addresses one after the other, beginning with the one that answered last, for an answer that is read while it arrives. @returns the first
 * answer that begins and is not 502, 503 or 504; the last one otherwise.
 */
export async function openFrom(addresses: string, path: string, init: RequestInit): Promise<Response> {
  const list = addressesIn(addresses)
  const first = lastGood.get(addresses) ?? 0
  for (let attempt = 0; ; attempt++) {
    const isLast = attempt === list.length - 1
    try {
      const answer = await fetch(`${list[(first + attempt) % list.length]}${path}`, { ...init, ...NO_REDIRECT })
      if (isLast || answer.status < 502 || answer.status > 504) return answer
      await answer.body?.cancel()
    } catch (error) {
      if (isLast || init.signal?.aborted === true) throw error
    }
  }
}

interface Turn {
  attempt: number
  attemptsMax: number
  /** After so many attempts each address was asked. */
  perRound: number
  isOneByOne: boolean
  signal: AbortSignal
}

/** The first answer of this attempt and of those after it. @throws the error of the last attempt. */
async function answerOf(ask: (attempt: number) => Promise<Response>, turn: Turn): Promise<Response> {
  const { attempt, attemptsMax, perRound, isOneByOne, signal } = turn
  const own = ask(attempt)
  if (attempt + 1 === attemptsMax) return own
  const next = async () => {
    await (isOneByOne ? failed(own) : failedOrSilent(own, signal))
    if ((attempt + 1) % perRound === 0) await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined)
    signal.throwIfAborted()
    return answerOf(ask, { ...turn, attempt: attempt + 1 })
  }
  return Promise.any([own, next()]).catch((error: AggregateError) => {
    throw error.errors[1]
  })
}

/** Resolves when an attempt has failed, and never when it is answered. */
function failed(own: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    own.catch(() => resolve())
  })
}

/** Resolves also when an attempt has no answer for a second, and few requests are asked again at this moment. */
async function failedOrSilent(own: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const settled = new AbortController()
  const waiting = AbortSignal.any([settled.signal, signal])
  const silent = async () => {
    await sleep(SILENT_MS_MAX, undefined, { signal: waiting })
    while (secondAsks >= SECOND_ASKS_MAX) await sleep(PLACE_POLL_MS, undefined, { signal: waiting })
    secondAsks += 1
    void sleep(SILENT_MS_MAX, undefined, { signal: waiting })
      .catch(() => undefined)
      .then(() => (secondAsks -= 1))
  }
  void own.catch(() => undefined).then(() => settled.abort())
  await Promise.race([failed(own), silent().catch(() => failed(own))])
}

/** An address that answers, and cannot serve: it stops, has just started, or stands before a server that is away. */
class UnservedError extends Error {
  override readonly name = 'UnservedError'
  readonly answer: Response

  constructor(answer: Response) {
    super(`it answered ${answer.status}`)
    this.answer = answer
  }
}

/** With its body, because a server may go away before the end of it. @throws UnservedError */
async function wholeAnswer(url: string, init: RequestInit): Promise<Response> {
  const answer = await fetch(url, { ...init, ...NO_REDIRECT })
  const { status, statusText, headers } = answer
  const bytes = await answer.arrayBuffer()
  const whole = new Response(bytes.byteLength === 0 ? null : bytes, { status, statusText, headers })
  // The error of a handler has the source `invocation`, and would be the same at another address.
  const source = headers.get('x-restate-error-source')
  if (status >= 502 && status <= 504 && source !== 'invocation') throw new UnservedError(whole)
  if (status === 404 && source === 'ingress' && UNKNOWN_SERVICE.test(Buffer.from(bytes).toString()))
    throw new UnservedError(whole)
  return whole
}
