/** An order to the load process. */
export type Job = IngestJob | ReadJob | CallJob | RepeatJob | PipelineJob | FloodJob | StallJob | LargeJob

interface Common {
  url: string
  /** The key that each request shows. */
  key?: string | undefined
  /** The address of this machine that it connects from, by default 127.0.0.1. */
  from?: string | undefined
  /** The pause of a connection between an answer and its next request. */
  pauseMs?: number
  /** Whether the connections start evenly over the pause, and not at the same instant. */
  isStaggered?: boolean
  /** Whether wrong answers are counted in the result, and no error. */
  areErrorsCounted?: boolean
  /** One request in flight on each. */
  connections: number
  /** After this time no request is sent; requests in flight are waited for. */
  secondsMax: number
}

/** New events of the same traffic, `requestEvents` in each request. */
export interface IngestJob extends Common {
  kind: 'ingest'
  requestEvents: number
  /** Requests built before the clock starts; undefined builds each one when it is sent. */
  requestsMax?: number
  /** Each request has an `idempotency-key` of its own. */
  isKeyed?: boolean
  /** Each request prefers `respond-async`. */
  isAsync?: boolean
  /** Each request is a single event of POST /api/v1/event. */
  isTracked?: boolean
  /** Events built before the clock starts have random times of so many days; undefined: of the last day, in order. */
  days?: number
}

/**
 * Calls that are built before the clock starts: payment callbacks of three items, analytics events, or an empty body again and again.
 */
export interface CallJob extends Common {
  kind: 'call'
  of: 'payments' | 'events' | 'nothing'
  requestsMax: number
  /** Analytics events per request; other calls have one item. */
  requestEvents?: number
  /** The secret that signs callbacks; undefined leaves them unsigned. */
  secret?: string
}

/** Posts the JSON bodies in random order until the time is over, whatever the answers are. */
export interface RepeatJob extends Common {
  kind: 'repeat'
  bodies: string[]
}

/** Reads the address of the job with `depth` requests in flight on each connection, whatever the answers are. */
export interface PipelineJob extends Common {
  kind: 'pipeline'
  depth: number
}

/** Reads the pages in random order until the time is over. */
export interface ReadJob extends Common {
  kind: 'read'
  pages: Page[]
}

/** Reads pages in turn at a constant rate, each on a connection of its own, and hangs up without waiting for the answer. */
export interface FloodJob extends Common {
  kind: 'flood'
  paths: string[]
  perSecond: number
  hangUpMs: number
}

/** Payment callbacks whose bodies stop before their end. The result counts the statuses of early answers. */
export interface StallJob extends Common {
  kind: 'stall'
}

/** One valid body of 10,000 events on each connection at the same time. The result counts the statuses. */
export interface LargeJob extends Common {
  kind: 'large'
  bodyMegabytes: number
}

export interface Page {
  path: string
  /** Names in lower case. */
  headers?: Record<string, string>
  /** How many products the answer must list; undefined for other pages. */
  items?: number
  /** The first product is a probe: its purchases are noted for every answer. */
  isProbed?: boolean
}

export interface LoadResult {
  requests: number
  events: number
  /** How often each error occurred. */
  errors: Record<string, number>
  /** From the first request to the last answer. */
  seconds: number
  latency: Latency
  /** CPU time of the load process during the run. */
  cpuSeconds: number
  /** For every answer with a probe: the time of its request by the machine's clock, and the purchases in it. */
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
