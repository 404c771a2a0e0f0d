import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Answer, answerReader } from '../bench/client/answer.ts'
import { latencyOf } from '../bench/client/latency.ts'
import { longestWaitFor } from '../bench/ingest/during-ingest.ts'
import { agesOf } from '../bench/items/probes.ts'
import { claimsOfRounds } from '../bench/measure/claim.ts'
import { isHalved, movedText, tableIn } from '../bench/measure/committed.ts'
import { median } from '../bench/measure/rounds.ts'
import { render, type SavedRow } from '../bench/measure/results.ts'

const WHOLE = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"a":"é"}'
const CHUNKED = 'HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n5\r\n"é"}\r\n0\r\n\r\n'

describe('the load', () => {
  test.each([
    ['with its length', WHOLE, 200],
    ['in chunks', CHUNKED, 503],
  ])('an answer %s is read however its bytes are split', (_name, text, status) => {
    const bytes = Buffer.from(text)
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 5 }), (cuts) => {
        const answers: Answer[] = []
        const read = answerReader((answer) => answers.push(answer))
        const places = [0, ...cuts.toSorted((one, other) => one - other), bytes.length]
        for (let place = 1; place < places.length; place++) read(bytes.subarray(places[place - 1], places[place]))
        expect(answers.map((answer) => [answer.status, answer.body.toString()])).toEqual([[status, '{"a":"é"}']])
      }),
    )
  })

  test('an answer with more than its length is an error', () => {
    expect(() => answerReader(() => undefined)(Buffer.from(`${WHOLE}!`))).toThrow('more bytes than content-length')
  })

  test('99 of 100 requests are faster than the p99', () => {
    const latency = latencyOf(Array.from({ length: 100 }, (_, index) => 100 - index))
    expect(latency).toEqual({ mean: 50.5, p50: 51, p99: 100, max: 100 })
  })
})

describe('the age of an answer', () => {
  const committedAtMs = [0, 100, 200, 300]

  test.each([
    ['has everything', [5_000, 3], 0],
    ['misses a purchase that came after it was asked for', [150, 1], 0],
    ['misses two purchases', [1_250, 1], 1_050],
  ] as const)('of an answer that %s is right', (_name, sighting, age) => {
    expect(agesOf([sighting], committedAtMs)).toEqual([age])
  })
})

test('a row that was not run keeps its lines', () => {
  const old = '| row | what |\n| --- | --- |\n| `one` | old |\n| `two` | old |\n| `gone` | old |'
  const claim = { what: 'new', measured: 12.345, unit: 'ms', target: { max: 10 }, detail: 'of it' }
  const machine = { cpu: 'C', cores: 2, memoryGiB: 4, kernel: 'K', node: 'N', postgresql: 'P', restate: 'R' }
  const saved: SavedRow = { row: 'two', at: '2026-01-02T', isQuick: false, machine, result: { claims: [claim], measured: {} } }
  const lines = render(['one', 'two'], [saved], old).split('\n')
  expect(lines[0]).toContain('2 × C, 4 GiB, K, Node N, PostgreSQL P, Restate R')
  expect(lines.slice(-2)).toEqual(['| `one` | old |', '| `two` | new | **12.3 ms** | ≤ 10 ms: missed | of it |'])
})

describe('against the committed table', () => {
  const claim = { what: 'a ratio', measured: 0.8, target: { min: 0.6 }, detail: '', spread: { least: 0.7, most: 0.9 } }

  test('numbers are read from the lines that a run writes', () => {
    const page = '| row | what |\n| `one` | a ÷ b | **1,234 ms** | ≤ 5 ms: missed | x |\n| `one` | — p99   | **0.041** |  | y |'
    expect(tableIn(page)).toEqual(
      new Map([
        [
          'one',
          [
            { what: 'a ÷ b', measured: 1_234 },
            { what: '— p99', measured: 0.041 },
          ],
        ],
      ]),
    )
  })

  test.each([
    [0.75, undefined],
    [0.697, undefined],
    [0.65, 'better: 0.65 before, rounds 0.7 to 0.9'],
    [0.95, 'worse: 0.95 before, rounds 0.7 to 0.9'],
    [undefined, undefined],
  ])('a number that was %s: %s', (before, text) => {
    expect(movedText(claim, before)).toBe(text)
  })

  test('every number gets the spread of its rounds', () => {
    const claimsOf = ({ own, other }: Record<'own' | 'other', number[]>) => [
      { what: 'ratio', measured: median(own) / median(other), detail: '' },
    ]
    expect(claimsOfRounds({ own: [2, 9, 4], other: [1, 3, 4] }, claimsOf)).toEqual([
      { what: 'ratio', measured: 4 / 3, detail: '', spread: { least: 1, most: 3 } },
    ])
  })

  test.each([
    ['a ratio that shall be large', { min: 0.6 }, 1.7, true],
    ['the same, a little lower', { min: 0.6 }, 1.5, false],
    ['a ratio that shall be small', { max: 1 }, 0.3, true],
  ])('%s is guarded', (_what, target, before, halved) => {
    expect(isHalved({ ...claim, target }, before)).toBe(halved)
    expect(isHalved({ ...claim, target, unit: 'ms' }, before)).toBe(false)
  })
})

describe('the waits for a process', () => {
  const wait = (process: number, held: string, queue: string) =>
    `LOG:  process ${process} still waiting for AccessShareLock on relation 1 of database 2 after 5.1 ms
DETAIL:  Process holding the lock: ${held}. Wait queue: ${queue}.\n`
  const acquired = (process: number, ms: number) =>
    `LOG:  process ${process} acquired AccessShareLock on relation 1 of database 2 after ${ms} ms\n`

  test.each([
    ['for a lock that it holds', '7', '20, 30', 9.5],
    ['behind it in the queue', '40', '7, 20, 30', 9.5],
    ['before it in the queue', '40', '20, 30, 7', 0],
    ['without it', '40', '20, 30', 0],
  ])('a wait %s', (_where, held, queue, expected) => {
    expect(longestWaitFor(7, wait(30, held, queue) + acquired(30, 9.5))).toBe(expected)
  })
})
