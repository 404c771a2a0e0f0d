import { expect, test } from 'vitest'
import type { Deps } from '../../services/handler/deps.ts'
import { isTraced, proofOf, TRACED_SECONDS } from '../../src/contract/recorded-call.ts'
import { SERVICES } from '../../src/main/endpoint/serve-endpoint.ts'
import { TEST_DEPS } from '../harness/servers/deps.ts'

/** Handlers whose calls Restate remembers, and that change nothing which only PostgreSQL has: they send other calls, or change Restate alone. */
const WITHOUT_PROOF = ['Analytic.FanOut', 'Analytic.Verify', 'Shopper.Merge', 'Schedule.Start', 'Schedule.Stop']

type Retention = number | { hours?: number; minutes?: number; seconds?: number }

/** As the SDK keeps them, with each handler. */
interface Options {
  idempotencyRetention?: Retention
  journalRetention?: Retention
  ingressPrivate?: boolean
}

function optionsOf(journalMinutes: number): [name: string, options: Options][] {
  const deps = { ...TEST_DEPS, journalMinutes, db: undefined, background: undefined } as unknown as Deps
  return Object.values(SERVICES).flatMap((make) => {
    const made = make(deps) as unknown as { name: string; service?: object; object?: object }
    const handlers = Object.entries<object>((made.service ?? made.object) as Record<string, object>)
    return handlers.map(([handler, each]): [string, Options] => {
      const [symbol] = Object.getOwnPropertySymbols(each)
      return [`${made.name}.${handler}`, (each as Record<symbol, { options: Options }>)[symbol!]!.options]
    })
  })
}

const proofIn = (name: string) => proofOf(...(name.split('.') as [string, string]))

test('each public handler whose calls Restate remembers has a proof in PostgreSQL, or changes nothing there', () => {
  const remembered = optionsOf(0).filter(
    ([, { idempotencyRetention, ingressPrivate }]) => idempotencyRetention !== 0 && ingressPrivate !== true,
  )
  const unproven = remembered.map(([name]) => name).filter((name) => proofIn(name) === undefined)
  expect(unproven.toSorted()).toEqual(WITHOUT_PROOF.toSorted())
})

test('only calls with a proof are kept for a second longer, and have journals when these are kept', () => {
  const secondsOf = (retention: Retention = 0) =>
    typeof retention === 'number'
      ? retention / 1_000
      : (retention.minutes ?? 0) * 60 + (retention.hours ?? 0) * 3_600 + (retention.seconds ?? 0)
  for (const [name, { idempotencyRetention, journalRetention }] of optionsOf(15)) {
    const isProven = proofIn(name) !== undefined
    expect([name, isTraced(secondsOf(idempotencyRetention))]).toEqual([name, isProven])
    expect([name, secondsOf(journalRetention)]).toEqual([name, isProven ? 15 * 60 + TRACED_SECONDS : 0])
  }
  expect(optionsOf(0).filter(([, { journalRetention }]) => journalRetention !== 0)).toEqual([])
})
