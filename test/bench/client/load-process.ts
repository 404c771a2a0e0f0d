import { DAY_MS } from '../../../src/contract/fields/time.ts'
import { type Item, traffic } from '../items/events.ts'
import { type Drive, openDrive, type Outgoing } from './drive.ts'
import { flood } from './flood.ts'
import type { CallJob, FromLoad, IngestJob, Job, LoadResult, ReadJob, RepeatJob, ToLoad } from './job.ts'
import { sendLarge } from './large.ts'
import { pipeline } from './pipeline.ts'
import { callRequest, ingestRequest, readRequest, repeatedRequest } from './requests.ts'
import { stall } from './stall.ts'

/**
 * The process that sends the load. It is not the process that starts the servers and queries the database, so that only requests and
 * answers wait for each other here. A job's requests are built when the job arrives, before the clock starts.
 */
const nextItem = traffic()
const waiting = new Map<number, () => Promise<LoadResult>>()

process.on('message', (message: ToLoad) => void handle(message))
process.on('disconnect', () => process.exit(0))

async function handle(message: ToLoad): Promise<void> {
  try {
    if ('job' in message) {
      waiting.set(message.id, await prepare(message.job))
      answer({ id: message.id, ready: true })
    } else {
      const run = waiting.get(message.id)!
      waiting.delete(message.id)
      answer({ id: message.id, result: await run() })
    }
  } catch (error) {
    answer({ id: message.id, failed: String(error) })
  }
}

function answer(message: FromLoad): void {
  process.send?.(message)
}

async function prepare(job: Job): Promise<() => Promise<LoadResult>> {
  if (job.kind === 'flood') return () => flood(job)
  if (job.kind === 'stall') return () => stall(job)
  if (job.kind === 'large') return () => sendLarge(job)
  if (job.kind === 'pipeline') return () => pipeline(job)
  const sightings: [number, number][] = []
  const next = requestsOf(job, sightings)
  const { url, from, connections, secondsMax, pauseMs, isStaggered } = job
  const run = await openDrive({ url, from, connections, secondsMax, pauseMs, isStaggered, next })
  return async () => ({ ...(await run()), sightings })
}

function requestsOf(job: IngestJob | CallJob | RepeatJob | ReadJob, sightings: [number, number][]): Drive['next'] {
  if (job.kind === 'ingest') return ingestRequests(job)
  if (job.kind === 'repeat') return inRandomOrder(job.bodies.map((body) => repeatedRequest(job, body)))
  return job.kind === 'call' ? callRequests(job) : readRequests(job, sightings)
}

let calls = 0

function callRequests(job: CallJob): Drive['next'] {
  const first = callRequest(job, 0)
  if (job.of === 'nothing') return () => first
  // The index goes on between jobs, so that no callback is built twice.
  const built = Array.from({ length: job.requestsMax }, () => callRequest(job, calls++))
  let sent = 0
  return () => built[sent++]
}

/** Events that are built before the clock starts are spread over a time; events that are built on sending happen now. */
function ingestRequests(job: IngestJob): Drive['next'] {
  const { requestEvents, requestsMax, days } = job
  const build = (timeOf: (index: number) => number) => {
    const items: Item[] = []
    for (let index = 0; index < requestEvents; index++) items.push(nextItem(timeOf(index)))
    return ingestRequest(job, items)
  }
  if (requestsMax === undefined) return () => build(() => Date.now())
  const startMs = Date.now() - (days ?? 1) * DAY_MS
  const eventsMax = requestsMax * requestEvents
  const share = (index: number) => (days === undefined ? index / eventsMax : Math.random())
  const timeOf = (index: number) => Math.floor(startMs + share(index) * (days ?? 1) * DAY_MS)
  const built = Array.from({ length: requestsMax }, (_, request) => build((index) => timeOf(request * requestEvents + index)))
  let sent = 0
  return () => built[sent++]
}

function readRequests(job: ReadJob, sightings: [number, number][]): Drive['next'] {
  // The machine's clock, because sightings are compared with commits of another process.
  const clockMs = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  const onSighting = (askedAtMs: number, purchases: number) => sightings.push([askedAtMs + clockMs, purchases])
  return inRandomOrder(job.pages.map((page) => readRequest(job, page, onSighting)))
}

function inRandomOrder(built: readonly Outgoing[]): Drive['next'] {
  return () => built[Math.floor(Math.random() * built.length)]
}
