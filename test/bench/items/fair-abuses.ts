import { instantOf } from '../../../src/contract/fields/time.ts'
import { abusive, type Bystander, CALLBACK_PATH, INGEST_PATH, pagesOf, type Part } from './fair-bystanders.ts'
import { CATEGORIES, type FairKeys } from './fair-data.ts'
import { dashboardPaths, reportPaths, searchPaths, topPaths, windowedPaths } from './fair-paths.ts'

export interface Abuse {
  part: Part
  /** Bystanders with requests of the same kind. */
  same: readonly Bystander[]
  /** How many times as long as other abuses it is measured. */
  times?: number
}

const EVENTS = ['single event', 'event of a page'] as const
/** More than can be answered in a run. Large requests take time to build. */
const REQUESTS = { single: 20_000, medium: 1_000, large: 40 }
/** A caller that hangs up does so this long after its request. */
const HANG_UP_MS = 500
const REQUESTS_PER_SECOND = 50
/** Almost as many as a connection may have waiting. */
const PIPELINED = 14
const DAYS_SINCE_2000 = Math.ceil((Date.now() - Date.UTC(2000)) / 86_400_000)
/** A body of few bytes that costs much. */
const emptyItems = (count: number) => `{"interactions":[${Array<string>(count).fill('{}').join(',')}]}`

export const ONE_LARGE = 'one connection with 10,000 events in each request'

/** Callers that ask or send as much as they can, or more than can be answered. */
export function abusesOf(keys: FairKeys): Record<string, Abuse> {
  return { ...ingestAbuses(keys), ...readAbuses(keys), ...keylessAbuses(), ...lateAbuses(keys) }
}

function ingestAbuses({ secret, publishable }: FairKeys): Record<string, Abuse> {
  const empty = (key: string, connections: number, items: number): Abuse => ({
    part: abusive({ kind: 'repeat', key, connections, path: INGEST_PATH, bodies: [emptyItems(items)] }),
    same: EVENTS,
  })
  const { single, medium, large } = REQUESTS
  return {
    [ONE_LARGE]: { ...ingest(secret, { connections: 1, requestEvents: 10_000, requestsMax: large }), times: 3 },
    '16 such connections': ingest(secret, { connections: 16, requestEvents: 10_000, requestsMax: large }),
    '64 connections with single events': ingest(secret, { connections: 64, requestEvents: 1, requestsMax: single }),
    '64 connections with single events, each with an Idempotency-Key': ingest(secret, {
      connections: 64,
      requestEvents: 1,
      requestsMax: single,
      isKeyed: true,
    }),
    '16 connections of a publishable key with 250 events in each request': ingest(publishable, {
      connections: 16,
      requestEvents: 250,
      requestsMax: medium,
    }),
    '4 connections of a publishable key with 1,000 empty items in each request': empty(publishable, 4, 1_000),
    '8 connections of a secret key with 10,000 empty items in each request': empty(secret, 8, 10_000),
  }
}

type Sent = Pick<
  Extract<Part, { kind: 'ingest' }>,
  'connections' | 'requestEvents' | 'requestsMax' | 'isKeyed' | 'isAsync' | 'days'
>

function ingest(key: string, sent: Sent): Abuse {
  return { part: abusive({ kind: 'ingest', key, path: INGEST_PATH, ...sent }), same: EVENTS }
}

function readAbuses({ secret, ofSeller }: FairKeys): Record<string, Abuse> {
  const read = (connections: number, paths: string[], same: readonly Bystander[]): Abuse => ({
    part: abusive({ kind: 'read', key: secret, connections, pages: pagesOf(paths) }),
    same,
  })
  const flood = (key: string, paths: string[], same: readonly Bystander[]): Abuse => ({
    part: abusive({ kind: 'flood', key, connections: 0, paths, perSecond: REQUESTS_PER_SECOND, hangUpMs: HANG_UP_MS }),
    same,
  })
  const each = `${REQUESTS_PER_SECOND} requests a second that hang up, for`
  return {
    '32 connections that read the top list': read(32, topPaths(), ['top list']),
    [`${each} windowed lists`]: flood(secret, windowedPaths(90), ['windowed list']),
    [`${each} dashboards`]: flood(ofSeller, dashboardPaths(), ['dashboard']),
    [`${each} reports`]: flood(secret, reportPaths('top-entities'), ['report']),
    [`${each} lists of searches`]: flood(secret, searchPaths(), []),
    '8 connections that ask for the proof': read(8, ['/api/v1/analytic/verify'], []),
  }
}

function keylessAbuses(): Record<string, Abuse> {
  const pipelined = (path: string): Abuse => ({
    part: abusive({ kind: 'pipeline', connections: 16, depth: PIPELINED, path }),
    same: [],
  })
  return {
    '16 connections without a key that pipeline requests answered 404': pipelined('/nothing'),
    '16 connections without a key that pipeline requests for /openapi.json': pipelined('/openapi.json'),
    '16 connections without a key that pipeline requests for /health': pipelined('/health'),
    '16 connections without a key that pipeline requests of 15 KB': pipelined(`/nothing?${'a'.repeat(15_000)}`),
    '16 connections that send callbacks with a wrong signature': {
      part: abusive({
        kind: 'call',
        of: 'payments',
        secret: 'another secret',
        requestsMax: REQUESTS.single,
        connections: 16,
        path: CALLBACK_PATH,
      }),
      same: ['payment callback'],
    },
  }
}

/** These come last, because they leave tables or work behind. */
function lateAbuses({ secret }: FairKeys): Record<string, Abuse> {
  return {
    '4 connections that bring 500 products of the catalog up to date in each request': {
      part: abusive({
        kind: 'repeat',
        key: secret,
        connections: 4,
        path: '/api/v1/catalog/products',
        bodies: [0, 1, 2, 3, 4].map(productsBody),
      }),
      same: [],
    },
    '8 connections with 1,000 events since 2000 in each request': ingest(secret, {
      connections: 8,
      requestEvents: 1_000,
      requestsMax: REQUESTS.large * 4,
      days: DAYS_SINCE_2000,
    }),
    '64 connections with single events that do not wait (respond-async)': ingest(secret, {
      connections: 64,
      requestEvents: 1,
      requestsMax: REQUESTS.single,
      isAsync: true,
    }),
  }
}

function productsBody(part: number): string {
  const updated_at = instantOf(Date.now())
  const products = Array.from({ length: 500 }, (_, place) => {
    const n = 1 + part * 500 + place
    return { product_id: `p-${n}`, name: `Product ${n}`, category: `c-${(n * 31) % CATEGORIES}`, status: 'active', updated_at }
  })
  return JSON.stringify({ products })
}
