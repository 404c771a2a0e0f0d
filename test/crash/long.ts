import { parseArgs } from 'node:util'
import { summaryOf, runRound } from './round.ts'

/** `node test/crash/long.ts --minutes 10 --seed 7`: runs rounds until the minutes are over; exits with 1 at the first failing round. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      deaths: { type: 'string', default: '30' },
    },
  })
  const endMs = Date.now() + Number(values.minutes) * 60_000
  let seed = Number(values.seed)
  console.log(`seed ${seed}`)
  do {
    const round = await runRound({ seed, randomDeaths: Number(values.deaths) })
    console.log(summaryOf(round))
    if (round.problems.length > 0) {
      console.error(round.problems.join('\n'))
      console.error(`The logs are in ${round.folder}; to repeat it: npm run test:crash -- --minutes 0 --seed ${seed}`)
      process.exit(1)
    }
    seed += 1
  } while (Date.now() < endMs)
}

process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))
await main()
