import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { SimilarityRun } from '../client/similarity-process.ts'
import { PRODUCTS } from '../items/similarity-events.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { type ImplicitRun, installImplicit, runImplicit } from '../rivals/implicit.ts'

const FULL = { events: [1_000_000, 2_500_000, 5_000_000, 10_000_000], rounds: 3 }
const QUICK = { events: [20_000, 50_000], rounds: 1 }
const MEGABYTES_MAX = 500
const SPEED_UP_MIN = 1.3
const PROCESS = join(import.meta.dirname, '..', 'client', 'similarity-process.ts')

interface Runs {
  one: SimilarityRun[]
  two: SimilarityRun[]
  implicit?: ImplicitRun[]
  implicitTwo?: ImplicitRun[]
}

/** Similar products of 100,000 products from more and more events, with one and two threads, each in a process of its own. */
export async function similarity(isQuick: boolean): Promise<RowResult> {
  const { events, rounds } = isQuick ? QUICK : FULL
  const problem = await installImplicit()
  const folder = await mkdtemp(join(tmpdir(), 'footfall-bench-'))
  const measured: Runs[] = []
  try {
    for (const count of events)
      measured.push(await runsOf(count, rounds, problem === undefined ? join(folder, 'histories') : undefined))
  } finally {
    await rm(folder, { recursive: true })
  }
  const claims = measured.flatMap((runs, at) => claimsOf(runs, events[at]!, at === events.length - 1))
  return { claims: problem === undefined ? claims : [...claims, skipped(problem)], measured: { measured } }
}

async function runsOf(events: number, rounds: number, file: string | undefined): Promise<Runs> {
  const ours =
    (threads: number, ...more: string[]) =>
    async () =>
      JSON.parse(
        (await promisify(execFile)(process.execPath, [PROCESS, String(events), String(threads), ...more])).stdout,
      ) as SimilarityRun
  const own = { one: ours(1), two: ours(2) }
  if (file === undefined) return interleaved<'one' | 'two', SimilarityRun>(own, rounds)
  await ours(1, file)()
  const rival = (threads: number) => () => runImplicit(file, PRODUCTS, threads)
  return (await interleaved<keyof Runs, SimilarityRun | ImplicitRun>(
    { ...own, implicit: rival(1), implicitTwo: rival(2) },
    rounds,
  )) as unknown as Runs
}

function claimsOf({ one, two, implicit, implicitTwo }: Runs, events: number, isLargest: boolean): Claim[] {
  const name = `similar products of ${formatted(events)} events, ${formatted(PRODUCTS)} products`
  const seconds = (runs: readonly ImplicitRun[]) => series(runs, (run) => run.seconds)
  const cpu = (runs: readonly ImplicitRun[]) => series(runs, (run) => run.cpuSeconds)
  const megabytes = (runs: readonly ImplicitRun[]) => Math.max(...series(runs, (run) => run.megabytes))
  const hashes = new Set([...one, ...two].map(({ sha256 }) => sha256))
  return [
    {
      what: `${name}: CPU of one thread`,
      measured: median(cpu(one)),
      unit: 's',
      detail: `${formatted(median(seconds(one)))} s, with two threads ${formatted(median(seconds(two)))} s and ${formatted(median(cpu(two)))} s of CPU; histories ${formatted(median(series(one, (run) => run.prepareSeconds)))} s; ${hashes.size === 1 ? 'all rows equal' : 'ROWS DIFFER'}, SHA-256 ${[...hashes].map((hash) => hash.slice(0, 12)).join(', ')}`,
    },
    {
      what: '— one thread ÷ two threads',
      measured: ratioOf(seconds(one), seconds(two)),
      ...(isLargest && { target: { min: SPEED_UP_MIN } }),
      detail: `the median of ${one.length} rounds`,
    },
    {
      what: '— memory of the process with two threads',
      measured: megabytes(two),
      unit: 'MB',
      ...(isLargest && { target: { max: MEGABYTES_MAX } }),
      detail: `with its events and all rows; ${formatted(megabytes(one))} MB with one thread`,
    },
    ...(implicit === undefined || implicitTwo === undefined
      ? []
      : [
          {
            what: "— CPU ÷ that of implicit's cosine in C++, one thread",
            measured: ratioOf(cpu(one), cpu(implicit)),
            detail: `${formatted(median(cpu(implicit)))} s, which counts all pairs of a shopper without order and gap; with two threads ${formatted(median(seconds(two)))} against ${formatted(median(seconds(implicitTwo)))} s; ${formatted(megabytes(implicit))} MB`,
          },
        ]),
  ]
}

function skipped(problem: string): Claim {
  return { what: 'implicit was not measured', measured: Number.NaN, detail: problem }
}
