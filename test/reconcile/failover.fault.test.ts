import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { scheduleApi } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import { timelineMetrics } from '../../src/main/metrics/timeline.ts'
import { compare } from '../../src/main/reconcile/compare.ts'
import { timelineState } from '../../src/store/log/timeline.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { valueOf } from '../harness/clients/prometheus.ts'
import { asPage, signIn } from '../harness/clients/signed-in.ts'
import { runCommandProcess, startCommandProcess } from '../harness/programs/command-process.ts'
import {
  callEach,
  comparisonOf,
  endErasures,
  erasuresIn,
  type FailoverShop,
  HOUR_MS,
  idsIn,
  keepSending,
  repairedIn,
  rowsIn,
  sendView,
  startFailoverShop,
  viewsOf,
} from '../harness/servers/failover-shop.ts'
import { settled } from '../harness/servers/stack.ts'
import type { TestServer } from '../harness/servers/standby.ts'
import { expectSentences } from './mistakes.ts'

const KEYS = ['kept', 'lost-1', 'lost-2']

/** Loses all calls after the first ones, by a standby that took over without them. @returns what the shop had, and how many calls were lost. */
async function failOver(shop: FailoverShop) {
  const { primary, standby, db } = shop
  await viewsOf(shop, ['gone lost-1', 'gone lost-2'])
  await callEach(shop, 'kept')
  await settled(db)
  await standby.waitUntilCaughtUp()
  await standby.stopReceiver()
  const [one, other] = [await callEach(shop, 'lost-1'), await callEach(shop, 'lost-2')]
  await settled(db)
  const had = { rows: await rowsIn(db), ids: await idsIn(db) }
  await shop.cutPrimary()
  await primary.kill()
  await standby.promote()
  return { ...had, calls: one.calls + other.calls, bringing: one.bringing + other.bringing }
}

/** The same rows as before, and the events of each erased shopper under another name. */
async function expectWhole({ db }: FailoverShop, had: { rows: Record<string, number>; ids: string[] }, more = 0): Promise<void> {
  expect(await rowsIn(db)).toEqual({ ...had.rows, interaction: had.rows['interaction']! + more })
  expect(await idsIn(db)).toEqual(more === 0 ? had.ids : expect.arrayContaining(had.ids))
  expect(new Set(await erasuresIn(db))).toEqual(new Set(['completed']))
  const { rows } = await sql`select from interaction where account_id like 'gone %'`.execute(db)
  expect(rows).toEqual([])
  await settled(db)
  expect((await verify(db)).drift).toEqual([])
}

async function expectAnswered(shop: FailoverShop): Promise<void> {
  for (const key of KEYS) expect(await sendView(shop, key)).toMatchObject({ status: 200, body: { data: { accepted: 1 } } })
}

async function metricsOf({ db }: FailoverShop): Promise<(number | undefined)[]> {
  const registry = new Registry()
  timelineMetrics(registry, () => timelineState(db))
  const text = await registry.metrics()
  return [valueOf(text, 'footfall_timeline_changed'), valueOf(text, 'footfall_lost_calls')]
}

async function operationsPage({ gateway, key }: FailoverShop): Promise<string> {
  const cookie = await signIn(gateway.url, { key: key.text })
  return (await asPage(gateway.url, { path: '/operations', headers: { cookie } })).text
}

async function get({ gateway, key }: FailoverShop, path: string): Promise<string> {
  return (await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${key.text}` } })).text()
}

describe('after a failover', { timeout: 300_000 }, () => {
  test('to an asynchronous standby, the task tells the lost calls, and kept journals bring each kind back once while traffic goes on', async () => {
    const shop = await startFailoverShop(15)
    const { db } = shop
    const watch = shop.stack.ingress.client(scheduleApi, 'watch-timeline')
    expect(JSON.parse(await get(shop, '/ready'))).not.toHaveProperty('details.lost_calls')
    const had = await failOver(shop)
    expect((await comparisonOf(shop)).lost).toHaveLength(had.calls)
    expect(await timelineState(db)).toMatchObject({ isChanged: true, current: { timeline: 2 }, acknowledged: { timeline: 1 } })

    await watch.Start({ every_ms: 500 })
    const told = { timeline: 2, timeline_before: 1, calls: had.calls, compared_at: expect.any(String) }
    const isTold = async () => (await get(shop, '/ready')).includes(`"calls":${had.calls}`)
    expect(await until(isTold, 60_000)).toBe(true)
    expect(JSON.parse(await get(shop, '/ready'))).toMatchObject({ details: { lost_calls: told } })
    expect(await operationsPage(shop)).toContain(`${had.calls} acknowledged calls are missing`)
    expect(await metricsOf(shop)).toEqual([1, had.calls])

    expect((await sendView(shop, 'kept')).status).toBe(200)
    const refused = await sendView(shop, 'lost-1')
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable', details: { id: expect.any(String) } } } })
    expect(await until(async () => (await compare(shop.stack.adminUrl, db, HOUR_MS)).lost.length === had.calls, 30_000)).toBe(
      true,
    )
    const sending = keepSending(shop)
    await repairKilledWhen(shop, async () => (await keptIn(shop)) > 2)
    await repairKilledWhen(shop, async () => (await keptIn(shop)) > 0 && (await rowsIn(db))['search']! > 1)
    expect(await repairToItsEnd(shop)).toBe(0)
    const sent = await sending.stop()
    expect((await comparisonOf(shop)).lost).toEqual([])
    await endErasures(shop)
    await expectWhole(shop, had, sent)
    await expectAnswered(shop)
    expect(await repairedIn(shop)).toEqual([])
    await expectWhole(shop, had, sent)

    expect((await runCommandProcess(['reconcile'], shop.environment)).code).toBe(0)
    const isOver = async () => !(await get(shop, '/ready')).includes('lost_calls')
    expect(await until(isOver, 30_000)).toBe(true)
    expect(await metricsOf(shop)).toEqual([0, 0])
    await watch.Stop({})
  })

  test('the disk of the old primary brings back what it has, while traffic goes on, and erases again; what is wrong is told in a sentence', async () => {
    const shop = await startFailoverShop(0)
    const { primary, db, environment } = shop
    const had = await failOver(shop)
    await primary.start()
    const from = primary.url.replace(/[^/]*$/, 'footfall')
    // The command leaves out the calls of the last two seconds.
    expect(await until(async () => (await compare(shop.stack.adminUrl, db, HOUR_MS)).lost.length === had.calls, 30_000)).toBe(
      true,
    )
    await expectSentences(shop)
    const looked = await runCommandProcess(['reconcile', '--from', from], environment)
    expect(looked).toMatchObject({ code: 1, output: expect.stringContaining(`PostgreSQL lacks ${had.calls} of them`) })
    expect(looked.output).toContain('2 ids of persons who were erased there are not erased here')

    const sending = keepSending(shop)
    const first = await runCommandProcess(['reconcile', '--repair', '--from', from], environment)
    // The impressions, and the keys, whose secrets are known nowhere any more.
    expect(first).toMatchObject({ code: 1, output: expect.stringContaining(`Brought over: ${had.bringing - 2} calls`) })
    expect(first.output).toContain('Restate kept no journal of 4 calls')
    expect(first.output).toMatch(/Key \S+ \(lost-1\) was made there/)
    const second = await runCommandProcess(['reconcile', '--repair', '--from', from], environment)
    expect(second).toMatchObject({ code: 0, output: expect.stringContaining('Brought over: 0 calls') })
    const sent = await sending.stop()
    await endErasures(shop)
    const missing = { impression: had.rows['impression']! - 2, api_key: had.rows['api_key']! - 2 }
    await expectWhole(shop, { ...had, rows: { ...had.rows, ...missing } }, sent)
    await expectAnswered(shop)
    expect((await timelineState(db)).isChanged).toBe(false)
  })

  test('to a synchronous standby nothing is lost, and no attempt answers before the standby has its rows', async () => {
    const shop = await startFailoverShop(0)
    const { primary, standby, db } = shop
    await primary.configure({ synchronous_standby_names: 's1', synchronous_commit: 'on' })
    await callEach(shop, 'kept')
    await settled(db)
    await standby.stopReceiver()
    const waiting = sendView(shop, 'waits')
    // The first attempt is ended while its commit waits: its row is seen by then. The next attempt waits by itself.
    const sessions = () => primary.execute((server) => waitingSessions(server))
    expect(await until(async () => (await sessions()).length > 0, 10_000)).toBe(true)
    const [first] = await sessions()
    await primary.execute((server) => sql`select pg_terminate_backend(${first!}::int)`.execute(server))
    expect(await until(async () => (await sessions()).some((pid) => pid !== first), 10_000)).toBe(true)
    await primary.kill()
    await standby.promote()

    expect(await waiting).toMatchObject({ status: 200, body: { data: { accepted: 1 } } })
    expect(await comparisonOf(shop)).toMatchObject({ lost: [], waiting: 0, unchecked: 0 })
    await settled(db)
    expect(await rowsIn(db)).toMatchObject({ interaction: 5 })
    expect((await verify(db)).drift).toEqual([])
  })
})

async function keptIn({ folder }: FailoverShop): Promise<number> {
  const names = await readdir(join(folder, 'reconcile')).catch(() => [])
  return names.filter((name) => name.startsWith('inv_')).length
}

/** Kills a repair as soon as this is true. */
async function repairKilledWhen({ environment }: FailoverShop, isTime: () => Promise<boolean>): Promise<void> {
  const command = startCommandProcess(['reconcile', '--repair'], environment)
  while (command.child.exitCode === null && !(await isTime())) await setImmediate()
  command.child.kill('SIGKILL')
  expect([await command.ended, command.output()]).toEqual([null, ''])
}

/** PostgreSQL takes a moment to notice that a repair was killed. */
async function repairToItsEnd({ environment }: FailoverShop): Promise<number | null> {
  for (;;) {
    const { code, output } = await runCommandProcess(['reconcile', '--repair'], environment)
    if (!output.includes('Another reconcile --repair works')) return code
  }
}

/** The sessions of recording whose commit waits for a standby. */
async function waitingSessions(server: Parameters<Parameters<TestServer['execute']>[0]>[0]): Promise<number[]> {
  const { rows } = await sql<{ pid: number }>`
    select pid from pg_stat_activity where wait_event = 'SyncRep' and query like '%interaction_batch%' order by pid`.execute(
    server,
  )
  return rows.map(({ pid }) => pid)
}
