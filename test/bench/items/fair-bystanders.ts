import type { Job, Page } from '../client/job.ts'
import { CATEGORIES, type FairKeys, PAYMENT_SECRET } from './fair-data.ts'
import { dashboardPaths, productPaths, reportPaths, topPaths, windowedPaths } from './fair-paths.ts'

export const INGEST_PATH = '/api/v1/analytic/interaction'
export const CALLBACK_PATH = '/api/v1/orders/payment/callback'
/** A bystander has one request in flight, and so long a pause between two. */
const PAUSE_MS = 80
/** More than a bystander can send in a run. */
const CALLBACKS = 500
/** Addresses of this machine, because requests without a key share the limits of their address. */
const [BYSTANDER_ADDRESS, ABUSIVE_ADDRESS] = ['127.0.0.2', '127.0.0.3']

/** A job without its address and its time. */
export type Part = { path?: string } & (Job extends infer One
  ? One extends Job
    ? Omit<One, 'url' | 'secondsMax'>
    : never
  : never)

export const BYSTANDERS = [
  'single event',
  'event of a page',
  'payment callback',
  'product',
  'top list',
  'windowed list',
  'dashboard',
  'report',
  '/health',
] as const
export type Bystander = (typeof BYSTANDERS)[number]

/** Callers that do nothing unusual, each with a key of its own. */
export function bystandersOf(keys: FairKeys, products: number): Record<Bystander, Part> {
  const one = { connections: 1, pauseMs: PAUSE_MS, from: BYSTANDER_ADDRESS }
  const event = (key: string): Part => ({ kind: 'ingest', key, requestEvents: 1, path: INGEST_PATH, ...one })
  const read = (key: string | undefined, paths: readonly string[]): Part => ({ kind: 'read', key, pages: pagesOf(paths), ...one })
  const ofCategory = windowedPaths(7).map((path, n) => `${path}&category_ids=c-${n % CATEGORIES}`)
  return {
    'single event': event(keys.ingest),
    'event of a page': event(keys.page),
    'payment callback': {
      kind: 'call',
      of: 'payments',
      secret: PAYMENT_SECRET,
      requestsMax: CALLBACKS,
      path: CALLBACK_PATH,
      ...one,
    },
    product: read(keys.product, productPaths(products)),
    'top list': read(keys.top, topPaths()),
    'windowed list': read(keys.windowed, ofCategory),
    dashboard: read(keys.seller, dashboardPaths()),
    report: read(keys.report, reportPaths('volume-by-period')),
    '/health': read(undefined, ['/health']),
  }
}

export const abusive = (part: Part): Part => ({ ...part, from: ABUSIVE_ADDRESS })
export const pagesOf = (paths: readonly string[]): Page[] => paths.map((path) => ({ path }))
