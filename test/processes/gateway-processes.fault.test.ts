import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { WRONG_TRIES_MAX } from '../../src/gateway/access/sign-in.ts'
import { until } from '../../src/main/embedded/until.ts'
import { asPage } from '../harness/clients/signed-in.ts'
import { startSteadyLoad } from '../harness/clients/steady-load.ts'
import { ask, makeKey, READ } from '../harness/items/keys.ts'
import {
  endsWhenTold,
  flowing,
  PATIENCE_MS,
  provedEvents,
  register,
  type Site,
  startGatewayOf,
  startRelease,
  startSite,
} from '../harness/programs/release.ts'

const PROCESSES = 2
/** A connection for each request, because the processes take connections in turns. */
const headers = { connection: 'close' }

let site: Site
beforeAll(async () => {
  site = await startSite(inject('postgresUrl'))
})
afterAll(() => site.stop())

test('processes of a gateway share a port, rates, tries, live events and metrics, and are restarted when killed', async () => {
  const release = await startRelease(site)
  await register(release, '--breaking')
  const environment = { ...release.environment, GATEWAY_PROCESSES: String(PROCESSES), LOG_LEVEL: 'info' }
  const { db } = site.database
  const all = (await makeKey(db, { scopes: ['ingest', 'read', 'manage'] })).text
  const { part, url } = await startGatewayOf({ environment })
  const pids = () => pidsIn(part.output())
  expect(await until(async () => pids().length === PROCESSES, PATIENCE_MS)).toBe(true)

  // Whichever process is asked, it has what another one answered.
  for (let shopper = 0; shopper < 4; shopper++) {
    const event = { account_id: `${shopper}`, event_type: 'view', asin: 'lamp' }
    const body = JSON.stringify(event)
    expect((await ask(url, { path: '/api/v1/event', key: all, headers, body })).status).toBe(202)
    for (let read = 0; read < 4; read++) {
      const path = `/api/v1/shoppers/account:${shopper}/context`
      const { status, json } = await ask(url, { path, key: all, headers })
      expect({ status, json }).toMatchObject({ status: 200, json: { data: { recent_products: [{ product_id: 'lamp' }] } } })
    }
  }

  const limited = (await makeKey(db, { scopes: ['read'], requestsPerMinute: 16 })).text
  await until(async () => (await ask(url, { path: READ, key: limited, headers })).status !== 401, PATIENCE_MS)
  const statuses = await Promise.all(
    Array.from({ length: 40 }, async () => (await ask(url, { path: READ, key: limited, headers })).status),
  )
  expect(statuses.filter((status) => status === 200)).toHaveLength(15)

  const tries = []
  for (let n = 0; n < WRONG_TRIES_MAX + 4; n++)
    tries.push((await asPage(url, { path: '/session', form: { key: 'wrong' } })).location)
  expect(tries.filter((location) => location?.includes('wrong'))).toHaveLength(WRONG_TRIES_MAX)

  const metricsNow = async () => (await asPage(url, { path: '/metrics', headers: { authorization: `Bearer ${all}` } })).text
  const metrics = await metricsNow()
  const names = metrics.match(/^[a-z_]+(?=[ {])/gm)!
  expect(names.filter((name) => name === 'process_cpu_seconds_total')).toHaveLength(1)
  expect(metrics).toMatch(/^footfall_live_shoppers 4$/m)
  expect(metrics).toMatch(
    /^footfall_http_request_duration_seconds_count\{.*route="\/api\/v1\/shoppers\/:shopper_id\/context".*\} 16$/m,
  )

  const before = await provedEvents(site)
  const load = startSteadyLoad(url, all)
  await flowing(load)
  const counted = countedIn(await metricsNow())
  const asking = askedAllTheTime(url)
  await asking.answered(100)
  process.kill(pids()[0]!, 'SIGKILL')
  await asking.answered(100)
  expect(countedIn(await metricsNow())).toBeGreaterThanOrEqual(counted)
  expect(await asking.stop()).toEqual([])
  expect(await until(async () => pids().length === PROCESSES + 1, PATIENCE_MS)).toBe(true)
  await flowing(load)
  await endsWhenTold(part)
  const { accepted, failures } = await load.stop()
  // A request to the killed process may fail, and be recorded nevertheless. Every answer is good.
  expect(failures.filter((failure) => /^Error: \d/.test(failure))).toEqual([])
  expect(await provedEvents(site)).toBeGreaterThanOrEqual(before + accepted)
})

/** How many requests were counted, of all addresses. */
function countedIn(metrics: string): number {
  const counts = [...metrics.matchAll(/^footfall_http_request_duration_seconds_count\{.*\} (\d+)$/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

/** Requests on connections of their own, some at a time. Those of a process that is killed fail; none may wait for ever. */
function askedAllTheTime(url: string) {
  let answers = 0
  let isStopped = false
  const late: unknown[] = []
  const ask = async () => {
    while (!isStopped) {
      const answer = await fetch(`${url}/health`, { headers, signal: AbortSignal.timeout(PATIENCE_MS) }).catch(
        (error: Error) => error,
      )
      if (answer instanceof Response) await answer.text()
      else if (answer.name === 'TimeoutError') late.push(answer)
      answers++
    }
  }
  const asking = Array.from({ length: 24 }, ask)
  return {
    answered: (more: number) => {
      const enough = answers + more
      return until(async () => answers >= enough, PATIENCE_MS)
    },
    /** @returns the requests that were not answered in time. */
    stop: async () => {
      isStopped = true
      await Promise.all(asking)
      return late
    },
  }
}

function pidsIn(output: string): number[] {
  return [...output.matchAll(/^.*"pid":(\d+).*gateway listens.*$/gm)].map(([, pid]) => Number(pid))
}
