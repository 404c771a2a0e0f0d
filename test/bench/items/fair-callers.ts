import { DAY_MS, instantOf } from '../../../src/contract/fields/time.ts'
import { MODES } from '../../../src/contract/popular-list.ts'
import type { Job, Page } from '../client/job.ts'
import { POPULAR_PATH, TOP_PATH } from '../measure/read-run.ts'
import { CATEGORIES, type FairKeys } from './fair-data.ts'

export const INGEST_PATH = '/api/v1/analytic/interaction'
/** A bystander has one request in flight, and so long a pause between two. */
const PAUSE_MS = 50
/** An abusive caller hangs up so long after its request. */
const HANG_UP_MS = 500
const REQUESTS_PER_SECOND = 50

/** A job without its address and its time. */
export type Part = { path?: string } & (Job extends infer One
  ? One extends Job
    ? Omit<One, 'url' | 'secondsMax'>
    : never
  : never)

export const BYSTANDERS = ['single event', 'top list', 'windowed list', 'dashboard', 'report', '/health'] as const
export type Bystander = (typeof BYSTANDERS)[number]

/** Callers that do nothing unusual. */
export function bystandersOf(keys: FairKeys): Record<Bystander, Part> {
  const read = (key: string, paths: readonly string[]): Part => ({
    kind: 'read',
    key,
    connections: 1,
    pauseMs: PAUSE_MS,
    pages: pagesOf(paths),
  })
  const ofCategory = windowedPaths(7).map((path, n) => `${path}&category_ids=c-${n % CATEGORIES}`)
  return {
    'single event': { kind: 'ingest', key: keys.ingest, connections: 1, requestEvents: 1, pauseMs: PAUSE_MS, path: INGEST_PATH },
    'top list': read(keys.read, topPaths()),
    'windowed list': read(keys.read, ofCategory),
    dashboard: read(keys.seller, dashboardPaths()),
    report: read(keys.read, reportPaths('volume-by-period')),
    '/health': read(keys.read, ['/health']),
  }
}

export interface Abuse {
  part: Part
  /** The bystander with requests of the same kind. */
  same?: Bystander
}

export const ONE_LARGE = 'one connection that sends 10,000 events in each request'

/** Callers that ask or send as much as they can, or more than can be answered. */
export function abusesOf(keys: FairKeys): Record<string, Abuse> {
  const flood = (key: string, paths: string[]): Part => ({
    kind: 'flood',
    key,
    connections: 0,
    paths,
    perSecond: REQUESTS_PER_SECOND,
    hangUpMs: HANG_UP_MS,
  })
  const ingest = (key: string, requestEvents: number, sent: { connections: number; requestsMax: number }): Abuse => ({
    part: { kind: 'ingest', key, requestEvents, path: INGEST_PATH, ...sent },
    same: 'single event',
  })
  const read = (connections: number, paths: string[]): Part => ({
    kind: 'read',
    key: keys.abusive,
    connections,
    pages: pagesOf(paths),
  })
  const each = `${REQUESTS_PER_SECOND} requests a second that hang up, for`
  return {
    [ONE_LARGE]: ingest(keys.abusive, 10_000, { connections: 1, requestsMax: 50 }),
    '16 such connections': ingest(keys.abusive, 10_000, { connections: 16, requestsMax: 100 }),
    '64 connections that send single events': ingest(keys.abusive, 1, { connections: 64, requestsMax: 60_000 }),
    '16 connections of a publishable key that send 250 events in each request': ingest(keys.publishable, 250, {
      connections: 16,
      requestsMax: 2_000,
    }),
    '32 connections that read the top list': { part: read(32, topPaths()), same: 'top list' },
    [`${each} windowed lists`]: { part: flood(keys.abusive, windowedPaths(90)), same: 'windowed list' },
    [`${each} dashboards`]: { part: flood(keys.abusiveSeller, dashboardPaths()), same: 'dashboard' },
    [`${each} reports`]: { part: flood(keys.abusive, reportPaths('top-entities')), same: 'report' },
    [`${each} lists of searches`]: { part: flood(keys.abusive, searchPaths()) },
    '8 connections that ask for the proof': { part: read(8, ['/api/v1/analytic/verify']) },
  }
}

const pagesOf = (paths: readonly string[]): Page[] => paths.map((path) => ({ path }))

function topPaths(): string[] {
  return Array.from({ length: 100 }, (_, limit) => `${TOP_PATH}?limit=${limit + 1}`)
}

/** So many that hardly any two are equal. */
export function windowedPaths(days: number): string[] {
  return Object.keys(MODES).flatMap((mode) =>
    Array.from({ length: 200 }, (_, n) => `${POPULAR_PATH}?mode=${mode}&time_window_days=${days}&min_interactions=${n + 1}`),
  )
}

/** Ranges that end at different days of the last month. */
function rangesOf(days: number): [from: string, to: string][] {
  return Array.from({ length: 30 }, (_, ago) => {
    const endMs = Date.now() - ago * DAY_MS
    return [endMs - (days - 1) * DAY_MS, endMs].map((ms) => instantOf(ms).slice(0, 10)) as [string, string]
  })
}

function dashboardPaths(): string[] {
  return rangesOf(30).map(
    ([from, to]) => `/api/v1/analytic/seller-dashboard?start=${from}&end=${to}&granularity=day&time_zone=America/Sao_Paulo`,
  )
}

function reportPaths(slug: string): string[] {
  return rangesOf(60).flatMap(([from, to]) =>
    [0, 50, 100].map((offset) => `/api/v1/reports/${slug}/run?date_from=${from}&date_to=${to}&offset=${offset}`),
  )
}

function searchPaths(): string[] {
  return Array.from({ length: 90 }, (_, day) => `/api/v1/search/queries?days=${day + 1}&limit=100`)
}
