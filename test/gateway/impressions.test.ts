import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Impression } from '../../src/contract/impression.ts'
import { createImpressions } from '../../src/gateway/recording/impressions.ts'
import { until } from '../../src/main/embedded/until.ts'
import { impression } from '../harness/items/impressions.ts'

interface Sent {
  key: string
  impressions: Impression[]
}

/** Impressions whose calls are noted. While `isAway`, a call fails; while `isFull`, the inbox of the recorder takes none. */
function started({ isOn = true, bytesMax = 1024 * 1024 } = {}) {
  const state = {
    isAway: false,
    isFull: false,
    attempts: 0,
    sent: [] as Sent[],
    counts: { made: 0, handed_over: 0, lost: 0 },
    open: 0,
  }
  const impressions = createImpressions({
    isOn,
    bytesMax,
    observer: { impressions: (which, count) => void (state.counts[which] += count) },
    room: {
      take: async () => {
        if (state.isFull) throw new Error('full')
        state.open++
        const giveBack = () => void state.open--
        return { giveBack, sent: async () => giveBack() }
      },
    },
    ingress: {
      sendWithJson: async (_api, _handler, body, options) => {
        state.attempts++
        if (state.isAway) throw new TypeError('fetch failed')
        const { impressions: items } = JSON.parse(body.toString()) as { impressions: Impression[] }
        state.sent.push({ key: options!.idempotencyKey!, impressions: items })
        return { invocationId: 'inv', isNew: true }
      },
    },
  })
  return { state, impressions }
}

const PATIENCE_MS = 10_000

test('impressions that are made together are handed over by one call, in their order', async () => {
  const { state, impressions } = started()
  const made = Array.from({ length: 50 }, () => impression())
  made.forEach(impressions.note)
  expect(state.sent).toEqual([])
  expect(await until(async () => state.counts.handed_over === 50, PATIENCE_MS)).toBe(true)
  expect(state.sent.map((call) => call.impressions)).toEqual([made])
  expect(state.counts).toEqual({ made: 50, handed_over: 50, lost: 0 })
  expect(impressions.length()).toBe(0)
})

test('a call that fails is sent again as the same call, and nothing is lost or doubled', async () => {
  const { state, impressions } = started()
  state.isAway = true
  const made = [impression(), impression()]
  made.forEach(impressions.note)
  expect(await until(async () => state.attempts >= 2, PATIENCE_MS)).toBe(true)
  const later = impression()
  impressions.note(later)
  state.isAway = false
  expect(await until(async () => state.counts.handed_over === 3, PATIENCE_MS)).toBe(true)
  expect(state.sent.map((call) => call.impressions)).toEqual([made, [later]])
  expect(new Set(state.sent.map(({ key }) => key)).size).toBe(2)
  expect(state).toMatchObject({ counts: { lost: 0 }, open: 0 })
})

test('what finds no room in the queue is lost and counted, and what waits is handed over later', async () => {
  const bytes = JSON.stringify(impression()).length
  const { state, impressions } = started({ bytesMax: 10 * bytes })
  state.isFull = true
  for (let made = 0; made < 25; made++) impressions.note(impression())
  expect(state.counts).toEqual({ made: 25, handed_over: 0, lost: 15 })
  state.isFull = false
  expect(await until(async () => state.counts.handed_over === 10, PATIENCE_MS)).toBe(true)
  impressions.note(impression())
  expect(await until(async () => state.counts.handed_over === 11, PATIENCE_MS)).toBe(true)
  expect(state.counts.lost).toBe(15)
})

test('a gateway that stops hands over what waits; what Restate does not take then is lost and counted', async () => {
  const { state, impressions } = started()
  impressions.note(impression())
  await impressions.stop()
  expect(state.counts).toEqual({ made: 1, handed_over: 1, lost: 0 })

  const away = started()
  away.state.isAway = true
  away.impressions.note(impression())
  await away.impressions.stop()
  expect(away.state.counts).toEqual({ made: 1, handed_over: 0, lost: 1 })
})

test('a call has at most 1 MiB, and one impression at least', async () => {
  const { state, impressions } = started({ bytesMax: 16 * 1024 * 1024 })
  const products = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(200, 'x'))
  for (let made = 0; made < 200; made++) impressions.note(impression({ product_ids: products }))
  expect(await until(async () => state.counts.handed_over === 200, PATIENCE_MS)).toBe(true)
  expect(state.sent.length).toBeGreaterThan(3)
  for (const call of state.sent) expect(JSON.stringify(call.impressions).length).toBeLessThan(1.1 * 1024 * 1024)
})

test('with RECOMMENDATION_IMPRESSIONS=off nothing is made', async () => {
  const { state, impressions } = started({ isOn: false })
  impressions.note(impression())
  await sleep(0)
  expect(impressions.length()).toBe(0)
  expect(state.counts).toEqual({ made: 0, handed_over: 0, lost: 0 })
})
