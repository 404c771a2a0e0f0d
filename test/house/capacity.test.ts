import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bottlenecksOf, capacityOf, MACHINES, MEASURED, stationsOf } from '../bench/capacity/model.ts'
import { machinesIn, timesIn } from '../bench/capacity/read-files.ts'
import { singles } from '../bench/capacity/simulation.ts'

const limitsOf = (n: number) => bottlenecksOf(stationsOf(MACHINES[n]!, MEASURED, 1_000, 1_000)).map(({ stage }) => stage)

test('more machines do not record more batches than their lanes can count', () => {
  const first = (n: number) => capacityOf(bottlenecksOf(stationsOf(MACHINES[n]!, MEASURED, 1_000, 1_000))[0]!)
  expect(limitsOf(0).slice(0, 2)).toEqual(['counting', 'endpoint'])
  expect(limitsOf(1)[0]).toBe('counting')
  expect(first(2)).toBe(first(1))
  expect(limitsOf(3).slice(0, 2)).toEqual(['counting', 'endpoint'])
  expect(first(3)).toBeGreaterThan(5 * first(2))
})

test('a gateway process takes as many singles as its time for a request allows', () => {
  const [gateway] = stationsOf(MACHINES[0]!, MEASURED, 1, 100)
  expect(Math.round(capacityOf(gateway!))).toBe(Math.round(1e6 / (MEASURED.request + MEASURED.gateway)))
})

test('an event waits at least as long as its own work takes, longer under load, and for ever beyond the capacity', () => {
  const own = (MEASURED.request + MEASURED.call.endpoint + MEASURED.call.restate + MEASURED.call.postgres) / 1_000
  const most = capacityOf(bottlenecksOf(stationsOf(MACHINES[0]!, MEASURED, 1, 100))[0]!)
  const [light, heavy, beyond] = [0.01, 0.97, 1.2].map((share) => singles(MACHINES[0]!, MEASURED, share * most))
  expect(light!.recordedP99).toBeGreaterThan(own)
  expect(heavy!.recordedP99).toBeGreaterThan(light!.recordedP99)
  expect(light!.countedP99).toBeGreaterThan(light!.recordedP99)
  expect(beyond!.recordedP99).toBe(Infinity)
})

test('a file of machines or times that is none is refused with a sentence about it', ({ onTestFinished }) => {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-capacity-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'file.json')
  const fileWith = (text: string) => {
    writeFileSync(file, text)
    return file
  }
  const [{ name: _, ...nameless }] = MACHINES as [(typeof MACHINES)[0]]
  expect(machinesIn(fileWith(JSON.stringify(MACHINES)))).toEqual(MACHINES)
  expect(() => machinesIn(fileWith(JSON.stringify([nameless])))).toThrow('0.name')
  for (const text of ['{', '[]', 'null', '[{"name":"x"}]']) expect(() => machinesIn(fileWith(text))).toThrow(file)
  expect(() => machinesIn(join(folder, 'none.json'))).toThrow('cannot be read')
  expect(() => timesIn(fileWith('{"gateway":0}'))).toThrow('gateway')
  expect(() => timesIn(fileWith('{"speed":1}'))).toThrow('speed')
})
