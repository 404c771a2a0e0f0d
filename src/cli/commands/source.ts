import { Command, InvalidArgumentError } from 'commander'
import { SourceSlug } from '../../contract/payment.ts'
import { storableText } from '../../contract/fields/text.ts'
import { changeSource, eventSources, type SourceChanges } from '../../store/reports/event-source.ts'
import { actor } from '../terminal/actor.ts'
import { readConfig } from '../../main/config/config.ts'
import { plainMessage } from '../../contract/fields/zod-messages.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { print, printJson, printTable } from '../terminal/output.ts'

const TEXT_CHARACTERS_MAX = 200

export function sourceCommand(): Command {
  return new Command('source')
    .description('List the systems that send analytics events, and accept or reject the events of a system.')
    .addCommand(new Command('list').description('List the sources.').option('--json', 'as JSON').action(list))
    .addCommand(
      new Command('set')
        .description('Change a source, or create it before its first event.')
        .argument('<slug>', 'the source, e.g. erp', slugOf)
        .option('--provider <name>', 'provider of the system', textOf)
        .option('--description <text>', 'description of its events', textOf)
        .option('--inactive', 'reject its events from now on, except events of payments')
        .option('--active', 'record its events again')
        .action(change),
    )
}

async function list({ json }: { json?: boolean }): Promise<void> {
  await withDatabase(readConfig(process.env), { name: 'footfall source', readOnly: true }, async (db) => {
    const sources = await eventSources(db)
    if (json) printJson(sources)
    else printTable(sources)
  })
}

interface ChangeOptions {
  provider?: string
  description?: string
  active?: boolean
  inactive?: boolean
}

async function change(slug: string, { provider, description, active, inactive }: ChangeOptions): Promise<void> {
  const changes: SourceChanges = { providerName: provider, description, isActive: inactive ? false : active }
  await withDatabase(readConfig(process.env), { name: 'footfall source' }, async (db) => {
    const source = await changeSource(db, slug, changes, actor())
    print(`${source.slug} is ${source.is_active ? 'active' : 'inactive: its events are rejected'}.`)
  })
}

function slugOf(text: string): string {
  return checked(SourceSlug.safeParse(text, { error: plainMessage }), text)
}

function textOf(text: string): string {
  return checked(storableText(TEXT_CHARACTERS_MAX).safeParse(text, { error: plainMessage }), text)
}

function checked(parsed: { success: true } | { success: false; error: { issues: { message: string }[] } }, text: string): string {
  if (parsed.success) return text
  throw new InvalidArgumentError(`It ${parsed.error.issues[0]!.message}.`)
}
