import { expect, test } from 'vitest'
import { createCalmCheck } from '../../src/main/processes/give-back-memory.ts'

const MIB = 1024 * 1024

/** A process that collects down to 40 MiB. */
function fakeProcess() {
  const state = { busy: 0, bytes: 60 * MIB, ms: 0, collections: 0 }
  const check = createCalmCheck({
    busyShare: () => state.busy,
    heapBytes: () => state.bytes,
    collect: async () => {
      state.collections++
      state.bytes = 40 * MIB
    },
    nowMs: () => state.ms,
  })
  return { state, check }
}

test('a process collects when it is calm, and never under load', async () => {
  const { state, check } = fakeProcess()
  state.busy = 0.06
  await check()
  expect(state.collections).toBe(0)
  state.busy = 0.05
  await check()
  expect(state.collections).toBe(1)
})

test('a calm process collects again when its heap has grown by 16 MiB, and not before', async () => {
  const { state, check } = fakeProcess()
  await check()
  state.ms = 60_000
  state.bytes = 56 * MIB - 1
  await check()
  expect(state.collections).toBe(1)
  state.bytes = 56 * MIB
  await check()
  expect(state.collections).toBe(2)
})

test('a heap that grows at once is collected every 30 s at most', async () => {
  const { state, check } = fakeProcess()
  for (; state.ms < 60_000; state.ms += 2_000) {
    state.bytes = 200 * MIB
    await check()
  }
  expect(state.collections).toBe(2)
})
