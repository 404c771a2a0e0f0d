import { parseArgs } from 'node:util'
import { bottlenecksOf, capacityOf, LEVERS, MACHINES, type Machines, MEASURED, perDay, stationsOf } from './model.ts'
import { machinesIn, timesIn } from './read-files.ts'
import { singles } from './simulation.ts'

/*
 * `npm run capacity`: what machines take, computed from service times that were measured. `-- --machines FILE` reads a JSON list of machines, and
 * `--times FILE` a JSON object of service times. Batches have 1,000 events, and singles of browsers are recorded 100 in a durable call.
 */

const BATCH = 1_000
const PER_CALL = 100
const SHOWN = 3
/** Singles per second whose latency is shown. */
const RATES = [1_000, 10_000, 30_000, 100_000]

const { machines, times } = settings()

function settings() {
  try {
    const { values } = parseArgs({ options: { machines: { type: 'string' }, times: { type: 'string' } } })
    return {
      machines: values.machines === undefined ? MACHINES : machinesIn(values.machines),
      times: { ...MEASURED, ...(values.times !== undefined && timesIn(values.times)) },
    }
  } catch (error) {
    console.error((error as Error).message)
    return process.exit(2)
  }
}

const number = (value: number) => Math.round(value).toLocaleString('en')
const hundreds = (value: number) => number(Math.round(value / 100) * 100)
const rate = (perSecond: number) => `${hundreds(perSecond)} (${(perDay(perSecond) / 1e9).toFixed(2)})`
const milliseconds = (value: number) => (value === Infinity ? 'too much' : number(value))

function row(each: Machines): string[] {
  const [single] = bottlenecksOf(stationsOf(each, times, 1, PER_CALL))
  const limits = bottlenecksOf(stationsOf(each, times, BATCH, BATCH))
  const next = limits.slice(0, SHOWN).map((station) => `${station.stage} ${hundreds(capacityOf(station))}`)
  const latencies = RATES.map((perSecond) => singles(each, times, perSecond)).map(
    ({ recordedP99, countedP99 }) => `${milliseconds(recordedP99)} / ${milliseconds(countedP99)}`,
  )
  return [each.name, rate(capacityOf(single!)), rate(capacityOf(limits[0]!)), next.join(', '), ...latencies]
}

const HEAD = [
  'machines',
  'singles',
  'batches',
  'next three limits of batches',
  ...RATES.map((perSecond) => `p99 at ${number(perSecond)}`),
]
for (const cells of [HEAD, HEAD.map(() => '---'), ...machines.map(row)]) console.log(`| ${cells.join(' | ')} |`)
console.log(
  '\nEvents per second, and billions of events a day at a peak of three times the mean. p99: recorded / counted, in milliseconds, at so many singles per second.',
)
for (const [stage, lever] of Object.entries(LEVERS)) console.log(`${stage}: ${lever}`)
