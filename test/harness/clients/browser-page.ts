import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createContext, runInContext } from 'node:vm'

const SNIPPET = join(import.meta.dirname, '..', '..', '..', 'docs', 'browser.js')
/** The limit of browsers for the bodies of beacons that are on their way. */
const BEACON_BYTES_MAX = 64 * 1024
/** The snippet's seconds pass this much faster. */
const HASTE = 50

export type Track = (eventType: string, refId: string, more?: object) => void

export interface PageOptions {
  gatewayUrl: string
  key: string
  origin: string
  /** What localStorage has: pages of one origin share it. Undefined when the browser gives none. */
  storage: Record<string, string> | undefined
  clockAheadMs?: number
}

/** The clock of the page's machine. */
interface Clock {
  aheadMs: number
}

export interface BrowserPage {
  track: Track
  /** Every body that was sent, even if its request failed. */
  bodies: string[]
  beacons: string[]
  /** The pauses of the snippet, in its own milliseconds. */
  pausesMs: number[]
  warnings: unknown[][]
  /** Its user may set it. */
  clock: Clock
  /** The shopper looks elsewhere, so the snippet sends the rest. */
  hide: () => Promise<void>
  /** The page is closed abruptly: no code runs any more, and open requests are dropped. */
  kill: () => void
}

/** Runs the snippet with the little of a browser that it uses, against a real gateway. */
export function openPage({ gatewayUrl, key, origin, storage, clockAheadMs = 0 }: PageOptions): BrowserPage {
  const clock: Clock = { aheadMs: clockAheadMs }
  const page = { bodies: [] as string[], beacons: [] as string[], pausesMs: [] as number[], warnings: [] as unknown[][] }
  const end = new AbortController()
  const handedOver: Promise<unknown>[] = []
  const listeners = new Map<string, () => void>()
  const document = { hidden: false }
  const send = (address: string, body: string, signal: AbortSignal | null) =>
    fetch(address, { method: 'POST', body, headers: { origin }, signal })
  const browser = {
    document,
    crypto,
    Blob,
    AbortSignal,
    Date: class extends Date {
      constructor(milliseconds = Date.now() + clock.aheadMs) {
        super(milliseconds)
      }
      static override now() {
        return Date.now() + clock.aheadMs
      }
    },
    console: { warn: (...words: unknown[]) => page.warnings.push(words) },
    addEventListener: (name: string, listener: () => void) => listeners.set(name, listener),
    setTimeout: (work: () => void, ms: number) => {
      page.pausesMs.push(ms)
      return setTimeout(() => end.signal.aborted || work(), ms / HASTE)
    },
    clearTimeout: (timer: NodeJS.Timeout | undefined) => clearTimeout(timer),
    fetch: async (address: string, { body, signal, ...rest }: { method: 'POST'; body: string; signal: AbortSignal }) => {
      // A custom header would make the browser send a preflight.
      if (JSON.stringify(rest) !== '{"method":"POST"}') throw new Error(`unexpected: ${JSON.stringify(rest)}`)
      page.bodies.push(body)
      const answer = await send(address, body, AbortSignal.any([signal, end.signal]))
      // Without this header the browser hides the answer from the page.
      if (answer.headers.get('access-control-allow-origin') !== origin) throw new TypeError('Failed to fetch')
      return answer
    },
    navigator: {
      sendBeacon: (address: string, body: string) => {
        if (Buffer.byteLength(body) > BEACON_BYTES_MAX) return false
        page.beacons.push(body)
        handedOver.push(send(address, body, null).catch(() => undefined))
        return true
      },
    },
  }
  Object.defineProperty(browser, 'localStorage', {
    get: () => {
      if (storage === undefined) throw new DOMException('The operation is insecure.', 'SecurityError')
      return storage
    },
  })
  const source = `'use strict'; ${readFileSync(SNIPPET, 'utf8').replace(/^export /m, '')}; footfall`
  const footfall = runInContext(source, createContext(browser)) as (options: object) => Track
  return {
    ...page,
    clock,
    track: footfall({ url: gatewayUrl, key }),
    hide: async () => {
      listeners.get('pagehide')!()
      document.hidden = true
      listeners.get('visibilitychange')!()
      await Promise.all(handedOver)
    },
    kill: () => end.abort(),
  }
}
