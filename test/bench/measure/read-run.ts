import type { LoadProcess } from '../client/start-load.ts'
import type { Latency, LoadResult, Page } from '../client/job.ts'

export const TOP_PATH = '/api/v1/analytic/popularity/top'
export const POPULAR_PATH = '/api/v1/products/popular'
export const STATIC_PATH = '/static'
/** The length of the static page's list. */
export const STATIC_ITEMS = 10
export const READ_CONNECTIONS = 32

export interface ReadRun {
  /** Answers per second. */
  perSecond: number
  latency: Latency
}

/** For a gateway that serves reads only. */
export const NO_RESTATE = { ingressUrl: 'http://127.0.0.1:1', adminUrl: 'http://127.0.0.1:1' }

/** Reads the pages in random order until the time is over. */
export async function readRun(
  load: LoadProcess,
  url: string,
  job: { pages: Page[]; secondsMax: number; connections?: number },
): Promise<ReadRun> {
  const go = await load.prepare({ kind: 'read', url, connections: READ_CONNECTIONS, ...job })
  return readRunOf(await go())
}

export function readRunOf({ requests, seconds, latency }: LoadResult): ReadRun {
  return { perSecond: requests / seconds, latency }
}
