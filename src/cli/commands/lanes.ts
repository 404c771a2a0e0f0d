import { Command, InvalidArgumentError } from 'commander'
import { readConfig } from '../../main/config/config.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { changeLanes, LANE_COUNTS, lanesOf } from '../../store/popularity/lanes.ts'
import { actor } from '../terminal/actor.ts'
import { print } from '../terminal/output.ts'

export function lanesCommand(): Command {
  return new Command('lanes')
    .description('Show in how many lanes events are counted and fed at the same time, or change their number.')
    .argument('[count]', '1, 2, 4, 8, 16, 32 or 64', countOf)
    .action(async (count: number | undefined) => {
      await withDatabase(readConfig(process.env), { name: 'footfall lanes' }, async (db) => {
        const before = count === undefined ? await lanesOf(db) : await changeLanes(db, count, actor())
        if (count === undefined || before === count) return print(`Lanes: ${before}`)
        print(`Lanes: ${count} (before: ${before})`)
      })
    })
}

function countOf(text: string): number {
  const count = LANE_COUNTS.find((each) => String(each) === text)
  if (count === undefined) throw new InvalidArgumentError(`It is one of ${LANE_COUNTS.join(', ')}.`)
  return count
}
