import { Command, InvalidArgumentError } from 'commander'
import { readConfig } from '../../main/config/config.ts'
import { brokersOf, topicsOf } from '../../main/config/kafka.ts'
import { StartError } from '../../main/config/start-error.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { seek, storedOffsets } from '../../store/kafka/offset.ts'
import { lagAnswerOf } from '../../consumer/lag-answer.ts'
import type { PartitionLag } from '../../consumer/lag.ts'
import { problemOf } from '../../consumer/problem.ts'
import { actor } from '../terminal/actor.ts'
import { print, printError, printJson, printTable } from '../terminal/output.ts'

export function kafkaCommand(): Command {
  return new Command('kafka')
    .description('Show how far the topics of Kafka were read, and move that.')
    .addCommand(statusCommand())
    .addCommand(seekCommand())
}

function statusCommand(): Command {
  return new Command('status')
    .description(
      'Show each partition: the next offset to read, where the topic ends, and how many offsets lie between. Then the topics of the settings that do not exist; with --json they are named on stderr.',
    )
    .option('--json', 'as JSON')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { data, meta } = lagAnswerOf([...topicsOf(readConfig(process.env)).keys()], await readLags())
      const missing = meta.missing_topics
      if (json) printJson(data)
      else if (data.length > 0) printTable(data)
      if (missing.length > 0) (json ? printError : print)(`Topics that do not exist: ${missing.join(', ')}.`)
    })
}

async function readLags(): Promise<PartitionLag[]> {
  const config = readConfig(process.env)
  const { createAdmin } = await import('../../consumer/client.ts')
  const { lagOf } = await import('../../consumer/lag.ts')
  const admin = createAdmin(brokersOf(config))
  try {
    return await withDatabase(config, { name: 'footfall kafka', readOnly: true }, async (db) =>
      lagOf(admin, [...topicsOf(config).keys()], await storedOffsets(db)).catch((cause: unknown) => {
        throw new StartError(`Kafka does not answer at KAFKA_BROKERS (${problemOf(cause)}).`, { cause })
      }),
    )
  } finally {
    await admin.close().catch(() => undefined)
  }
}

function seekCommand(): Command {
  return new Command('seek')
    .description('Read a partition from another offset on. A running consumer goes there too. The audit log has it.')
    .argument('<topic>', 'name of the topic')
    .argument('<partition>', 'number of the partition', wholeOffset)
    .argument('<offset>', 'the next offset to read, or start or end', offsetOf)
    .addHelpText('after', HELP)
    .action(async (topic: string, partition: bigint, offset: Target) => {
      const config = readConfig(process.env)
      if (!topicsOf(config).has(topic)) throw new StartError(`${topic} is none of the KAFKA_TOPIC_ settings.`)
      const lag = (await readLags()).find((each) => each.topic === topic && BigInt(each.partition) === partition)
      if (lag === undefined || lag.first === null || lag.end === null) throw new StartError(`There is no ${topic}/${partition}.`)
      const next = offset === 'start' ? lag.first : offset === 'end' ? lag.end : offset
      if (next < lag.first || next > lag.end) {
        throw new StartError(`${topic}/${partition} has the offsets ${lag.first} to ${lag.end}, and not ${next}.`)
      }
      await withDatabase(config, { name: 'footfall kafka' }, (db) =>
        seek(db, { topic, partition: Number(partition), next }, actor()),
      )
      print(`${topic}/${partition}: ${lag.next ?? 'never read'} → ${next}.`)
    })
}

type Target = bigint | 'start' | 'end'

function wholeOffset(text: string): bigint {
  if (!/^\d{1,18}$/.test(text)) throw new InvalidArgumentError('Write a whole number.')
  return BigInt(text)
}

function offsetOf(text: string): Target {
  return text === 'start' || text === 'end' ? text : wholeOffset(text)
}

const HELP = `
Records that are read again change nothing: the catalog keeps the newest version of each product, and an event counts once.
Records that are skipped stay in Kafka, and can be read until they expire there.

Examples:
  $ footfall kafka seek product.updated 0 start
  $ footfall kafka seek interactions 3 81200
`
