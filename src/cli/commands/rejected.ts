import { Command } from 'commander'
import type { RejectedInteraction } from '../../contract/rejected.ts'
import { countOpenRejected, rejectedCodes, rejectedInteraction, rejectedPage } from '../../store/log/rejected-item.ts'
import { readConfig } from '../../main/config/config.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { wholeNumber } from './whole-number.ts'
import { dropCommand } from './rejected-drop.ts'
import { rejectedKey, replayCommand } from './rejected-replay.ts'
import { StartError } from '../../main/config/start-error.ts'
import { print, printJson, printTable } from '../terminal/output.ts'

const MESSAGE_CHARACTERS_MAX = 80

export function rejectedCommand(): Command {
  return new Command('rejected')
    .description('List rejected events, show why they were rejected, replay them, and delete them.')
    .addCommand(listCommand())
    .addCommand(codesCommand())
    .addCommand(showCommand())
    .addCommand(replayCommand())
    .addCommand(dropCommand())
}

interface ListOptions {
  limit: number
  all?: boolean
  ignored?: boolean
  json?: boolean
}

function listCommand(): Command {
  return new Command('list')
    .description('List rejected events that were not replayed, newest first.')
    .option('-n, --limit <count>', 'number of events, 1 to 100', wholeNumber(1, 100), 20)
    .option('--all', 'include replayed events')
    .option('--ignored', 'the webhooks that payment adapters ignored, instead of rejected events')
    .option('--json', 'as JSON')
    .action(async ({ limit, all = false, ignored = false, json }: ListOptions) => {
      await withDatabase(readConfig(process.env), { name: 'footfall rejected', readOnly: true }, async (db) => {
        const { data } = await rejectedPage(db, { limit, after: undefined, replayed: all, ignored })
        if (json) {
          printJson(data)
          return
        }
        if (data.length > 0) printTable(data.map((rejected) => lineOf(rejected, all)))
        const open = await countOpenRejected(db, ignored)
        if (ignored) print(`Ignored by payment adapters: ${open}`)
        else print(open === 0 ? 'No rejected event waits.' : `Waiting to be replayed: ${open}`)
      })
    })
}

function codesCommand(): Command {
  return new Command('codes')
    .description('Count rejected events that were not replayed by their codes and kinds.')
    .option('--json', 'as JSON')
    .action(async ({ json }: { json?: boolean }) => {
      await withDatabase(readConfig(process.env), { name: 'footfall rejected', readOnly: true }, async (db) => {
        const codes = await rejectedCodes(db)
        if (json) printJson(codes)
        else if (codes.length === 0) print('No rejected event waits.')
        else printTable(codes)
      })
    })
}

function showCommand(): Command {
  return new Command('show')
    .description('Show a rejected event and the fields that were sent, as JSON.')
    .argument('<id>', 'id of the event, as listed')
    .action(async (id: string) => {
      const key = rejectedKey(id)
      await withDatabase(readConfig(process.env), { name: 'footfall rejected', readOnly: true }, async (db) => {
        const rejected = await rejectedInteraction(db, key)
        if (rejected === undefined) throw new StartError(`There is no rejected event ${id}.`)
        printJson(rejected)
      })
    })
}

function lineOf(
  { id, received_at, code, field, message, cut_from_bytes: cutFromBytes, replayed_at }: RejectedInteraction,
  all: boolean,
) {
  const short = message.length > MESSAGE_CHARACTERS_MAX ? `${message.slice(0, MESSAGE_CHARACTERS_MAX)}…` : message
  const cut = cutFromBytes === null ? '' : ` (cut from ${cutFromBytes} bytes, cannot be replayed)`
  const line = { id, received_at, code, field: field ?? '', message: short + cut }
  return all ? { ...line, replayed_at: replayed_at ?? '' } : line
}
