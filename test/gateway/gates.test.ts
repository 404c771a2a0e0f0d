import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createReadGate } from '../../src/gateway/caching/read-gate.ts'
import { createCallGate } from '../../src/gateway/recording/call-gate.ts'

/** Works that are ended by hand, and the order in which they began. */
function works() {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const work = (name: string) => () => {
    begun.push(name)
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)))
  }
  return { begun, work, end: (name: string) => ends.get(name)!() }
}

test('a read gate limits running and waiting reads, keeps their order, and refuses others', async () => {
  const { begun, work, end } = works()
  const gate = createReadGate({ readsMax: 2, waitingMax: 1, message: 'too many reads wait; ask again' })
  const answers = ['a', 'b', 'c'].map((name) => gate(work(name)))
  await expect(gate(work('d'))).rejects.toMatchObject({ code: 'unavailable', message: 'too many reads wait; ask again' })
  expect(begun).toEqual(['a', 'b'])
  end('b')
  await turn()
  expect(begun).toEqual(['a', 'b', 'c'])
  end('a')
  end('c')
  expect(await Promise.all(answers)).toEqual(['a', 'b', 'c'])
})

test('a read that fails gives its place to the next', async () => {
  const gate = createReadGate({ readsMax: 1, waitingMax: 1, message: 'full' })
  const failed = gate(() => Promise.reject(new Error('the database is away')))
  const next = gate(async () => 'read')
  await expect(failed).rejects.toThrow('the database is away')
  expect(await next).toBe('read')
})

test('a call gate limits the bytes of its calls, and reports each request that it refuses', async () => {
  const { begun, work, end } = works()
  let turnedAway = 0
  const gate = createCallGate({ callsMax: 1, waitingMax: 10, bytesMax: 100, onFull: () => turnedAway++ })
  const first = gate(60, work('a'))
  const second = gate(40, work('b'))
  await expect(gate(1, work('c'))).rejects.toMatchObject({ code: 'unavailable' })
  expect([begun, turnedAway]).toEqual([['a'], 1])
  end('a')
  expect(await first).toBe('a')
  await turn()
  const third = gate(60, work('d'))
  end('b')
  expect(await second).toBe('b')
  await turn()
  end('d')
  expect([await third, begun, turnedAway]).toEqual(['d', ['a', 'b', 'd'], 1])
})
