import { DAY_MS, instantOf } from '../../../src/contract/fields/time.ts'
import { MODES } from '../../../src/contract/popular-list.ts'
import { POPULAR_PATH, TOP_PATH } from '../measure/read-run.ts'

/** Paths of each kind of read; so many that hardly any two requests are equal. */
export function topPaths(): string[] {
  return Array.from({ length: 100 }, (_, limit) => `${TOP_PATH}?limit=${limit + 1}`)
}

export function windowedPaths(days: number): string[] {
  return Object.keys(MODES).flatMap((mode) =>
    Array.from({ length: 200 }, (_, n) => `${POPULAR_PATH}?mode=${mode}&time_window_days=${days}&min_interactions=${n + 1}`),
  )
}

/** Of products with many events: the order is that of storeShop. */
export function productPaths(products: number): string[] {
  return Array.from({ length: 100 }, (_, n) => `/api/v1/analytic/popularity/p-${1 + (((n + 1) * 7919) % products)}`)
}

export function dashboardPaths(): string[] {
  return rangesOf(30).map(
    ([from, to]) => `/api/v1/analytic/seller-dashboard?start=${from}&end=${to}&granularity=day&time_zone=America/Sao_Paulo`,
  )
}

export function reportPaths(slug: string): string[] {
  return rangesOf(60).flatMap(([from, to]) =>
    [0, 50, 100].map((offset) => `/api/v1/reports/${slug}/run?date_from=${from}&date_to=${to}&offset=${offset}`),
  )
}

export function searchPaths(): string[] {
  return Array.from({ length: 90 }, (_, day) => `/api/v1/search/queries?days=${day + 1}&limit=100`)
}

/** Ranges that end at different days of the last month. */
function rangesOf(days: number): [from: string, to: string][] {
  return Array.from({ length: 30 }, (_, ago) => {
    const endMs = Date.now() - ago * DAY_MS
    return [endMs - (days - 1) * DAY_MS, endMs].map((ms) => instantOf(ms).slice(0, 10)) as [string, string]
  })
}
