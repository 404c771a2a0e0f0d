/** What the load process is asked to do, and what it answers. */
export type Job = IngestJob | ReadJob | CallJob

interface Common {
  url: string
  /** One request in flight on each. */
  connections: number
  /** After this, nothing new is sent; what is in flight is waited for. */
  secondsMax: number
}

/** New events of the same traffic, in requests of so many. */
export interface IngestJob extends Common {
  kind: 'ingest'
  requestEvents: number
  /** Built before the clock starts; undefined: built as they are sent, until the time is over. */
  requestsMax?: number
  /** Each request has an `idempotency-key` of its own. */
  isKeyed?: boolean
}

/**
 * Calls that are built before the clock starts: signed payment callbacks of three items, analytics events, or the same small body
 * over and over.
 */
export interface CallJob extends Common {
  kind: 'call'
  of: 'payments' | 'events' | 'nothing'
  requestsMax: number
  /** Analytics events of each; one of anything else. */
  requestEvents?: number
  /** What callbacks are signed with; not at all when undefined. */
  secret?: string
}

/** The given pages in random order, over and over. */
export interface ReadJob extends Common {
  kind: 'read'
  pages: Page[]
}

export interface Page {
  path: string
  /** How many products the answer must list; undefined for a page that lists none. */
  items?: number
  /** The first product is a probe, whose purchases are noted for every answer. */
  isProbed?: boolean
}

export interface LoadResult {
  requests: number
  events: number
  /** What went wrong, and how many times. */
  errors: Record<string, number>
  /** From the first request to the last answer. */
  seconds: number
  latency: Latency
  /** What this load cost the load process. */
  cpuSeconds: number
  /** For every answer with a probe: when it was asked for, by the machine's clock, and the purchases in it. */
  sightings: [askedAtMs: number, purchases: number][]
}

/** In milliseconds. */
export interface Latency {
  mean: number
  p50: number
  p99: number
  max: number
}

export type ToLoad = { id: number; job: Job } | { id: number; go: true }
export type FromLoad = { id: number; ready: true } | { id: number; result: LoadResult } | { id: number; failed: string }
