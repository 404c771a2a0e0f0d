import { HttpCallError } from '@restatedev/restate-sdk-clients'
import { expect, test } from 'vitest'
import { createRecorderRoom, type RecorderPlace, type RecorderRoomOptions } from '../../src/gateway/recording/recorder-room.ts'

const KIB = 1024
const CALL = 16 * KIB
/** 64 calls; a gateway has four without asking. */
const MAX = 64 * CALL

type TestIngress = RecorderRoomOptions['ingress']

/** What RecorderRoom does, and calls that end when the test says so. */
function restateOf(bytesMax = MAX) {
  const reserved = new Map<string, number>()
  const ends = new Map<string, () => void>()
  const fails = new Map<string, (error: unknown) => void>()
  let isAway = false
  let asked = 0
  const call = async (_api: unknown, _handler: unknown, input: unknown) => {
    asked++
    if (isAway) throw new TypeError('fetch failed', { cause: 'away' })
    const { gateway, bytes } = input as { gateway: string; bytes: number }
    const sum = [...reserved].reduce((total, [other, theirs]) => total + (other === gateway ? 0 : theirs), bytes)
    const granted = bytes <= (reserved.get(gateway) ?? 0) || sum <= bytesMax
    if (granted) reserved.set(gateway, bytes)
    return { granted }
  }
  const waitForEnd = (invocationId: string) =>
    new Promise<void>((resolve, reject) => {
      ends.set(invocationId, resolve)
      fails.set(invocationId, reject)
    })
  return {
    ingress: { call, waitForEnd } as unknown as TestIngress,
    sum: () => [...reserved.values()].reduce((total, bytes) => total + bytes, 0),
    asked: () => asked,
    setAway: (away: boolean) => (isAway = away),
    end: (invocationId: string) => ends.get(invocationId)!(),
    fail: (invocationId: string, error: unknown) => fails.get(invocationId)!(error),
  }
}

const roomOf = (restate: ReturnType<typeof restateOf>) => createRecorderRoom({ ingress: restate.ingress, bytesMax: MAX })

/** Takes places of the smallest size until none is left. */
async function takeAll(room: ReturnType<typeof roomOf>): Promise<RecorderPlace[]> {
  const places: RecorderPlace[] = []
  for (;;) {
    const place = await room.take('0', 1).catch(() => undefined)
    if (place === undefined) return places
    places.push(place)
  }
}

test('gateways together have at most the bound waiting, and each a sixteenth more', async () => {
  const restate = restateOf()
  const rooms = [roomOf(restate), roomOf(restate), roomOf(restate)]
  const counts = []
  for (const room of rooms) counts.push((await takeAll(room)).length)
  expect(counts).toEqual([64, 4, 4])
  await expect(rooms[1]!.take('0', 1)).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('nothing') })
  expect(rooms.map((room) => room.isFull('0'))).toEqual([true, true, true])
  // Another recorder has room of its own.
  await rooms[1]!.take('1', 1)
})

test('a gateway with little waiting reserves nothing', async () => {
  const restate = restateOf()
  const room = roomOf(restate)
  for (let call = 0; call < 100; call++) {
    const place = await room.take('0', 1)
    const recorded = place.sent(`call ${call}`)
    await Promise.resolve()
    restate.end(`call ${call}`)
    await recorded
  }
  expect(restate.asked()).toBe(0)
  expect(room.lengths()).toEqual([{ recorder: '0', calls: 0, bytes: 0 }])
})

test('room is given back in the order of the recorder, and with it the reservation', async () => {
  const restate = restateOf()
  const room = roomOf(restate)
  const places = await takeAll(room)
  const ends = places.map((place, index) => place.sent(`call ${index}`))
  expect(room.lengths()).toEqual([{ recorder: '0', calls: 64, bytes: MAX }])
  expect(restate.sum()).toBe(MAX)
  for (const [index, end] of ends.entries()) {
    restate.end(`call ${index}`)
    await end
  }
  expect(room.lengths()).toEqual([{ recorder: '0', calls: 0, bytes: 0 }])
  await expect.poll(() => restate.sum()).toBe(0)
})

test('a call that failed has ended, and one that Restate does not answer about has not', async () => {
  const restate = restateOf()
  const room = roomOf(restate)
  const failed = (await room.take('0', 1)).sent('failed')
  restate.fail('failed', new HttpCallError(500, '{"source":"invocation"}', 'failed'))
  await failed
  let isEnded = false
  const waiting = (await room.take('0', 1)).sent('waiting').then(() => (isEnded = true))
  restate.fail('waiting', new TypeError('fetch failed', { cause: 'away' }))
  await Promise.resolve()
  expect(isEnded).toBe(false)
  expect(room.lengths()).toEqual([{ recorder: '0', calls: 1, bytes: CALL }])
  room.stop()
  void waiting
})

test('while Restate does not answer, a gateway has no more than its own part', async () => {
  const restate = restateOf()
  restate.setAway(true)
  const room = roomOf(restate)
  expect(await takeAll(room)).toHaveLength(4)
})

test('a call counts by its size, and one that was not handed over gives its room back', async () => {
  const room = roomOf(restateOf())
  const large = await room.take('0', MAX - CALL)
  await room.take('0', 1)
  await expect(room.take('0', 1)).rejects.toMatchObject({ code: 'unavailable' })
  large.giveBack()
  expect(room.lengths()).toEqual([{ recorder: '0', calls: 1, bytes: CALL }])
})
