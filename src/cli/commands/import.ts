import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Command, InvalidArgumentError, Option } from 'commander'
import { BATCH_ITEMS_MAX } from '../../contract/interaction.ts'
import { readConfig } from '../../main/config/config.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { offsetMinutesOf } from '../import/instant.ts'
import { INTERACTIONS } from '../import/interactions.ts'
import type { ItemKind } from '../import/item-kind.ts'
import { products } from '../import/products.ts'
import { progressOn } from '../import/progress.ts'
import { ruleOf, valueMapsOf } from '../import/rule.ts'
import { type ImportPlan, runImport } from '../import/run.ts'
import type { Format } from '../import/source-file.ts'
import { summaryOf } from '../import/summary.ts'
import { wholeNumber } from './whole-number.ts'
import { StartError } from '../../main/config/start-error.ts'
import { print } from '../terminal/output.ts'

type RuleText = readonly ['map' | 'set', string]

interface Options {
  products?: boolean
  priceDecimals?: number
  values?: string[]
  format?: Format
  columns?: string[]
  delimiter?: string
  encoding: string
  timeUnit?: 's' | 'ms'
  utcOffset: string
  allowMissing?: boolean
  batch: number
  inFlight: number
  patience: number
  rejected?: string
  ingress?: string
}

export function importCommand(): Command {
  const rules: RuleText[] = []
  // --map and --set share a list, because the first of two rules for a field wins.
  const collect = (verb: RuleText[0]) => (text: string) => void rules.push([verb, text])
  return new Command('import')
    .description('Import interactions or products from files of CSV or JSON lines (.csv .tsv .jsonl .ndjson, also .gz).')
    .argument('<files...>', 'files to import, one after the other')
    .option('--products', 'read products of the catalog instead of interactions')
    .option(
      '--price-decimals <count>',
      'prices are decimal numbers with this many places (default: prices in minor units)',
      wholeNumber(0, 6),
    )
    .option('--map <field=column [if condition]>', 'take a field from a column; an empty cell has no value', collect('map'))
    .option('--set <field=value [if condition]>', 'set a field to a constant', collect('set'))
    .option('--values <field:from=to>', 'replace a value of a field; other values stay', listed)
    .addOption(new Option('--format <format>', 'format of the files, when their names do not show it').choices(['csv', 'jsonl']))
    .option('--columns <names>', 'comma-separated column names of CSV without a header row', namesOf)
    .option(
      '--delimiter <text>',
      'the character between cells of CSV; "tab" for a tab (default: a comma, in .tsv a tab)',
      delimiterOf,
    )
    .option('--encoding <name>', 'text encoding, e.g. windows-1252', encodingOf, 'utf-8')
    .addOption(new Option('--time-unit <unit>', 'read plain numbers as times since 1970').choices(['s', 'ms']))
    .option('--utc-offset <offset>', 'offset of times without a zone, e.g. +02:00', 'Z')
    .option('--allow-missing', 'treat a column that a file does not have as empty')
    .option('--batch <rows>', 'rows per call', wholeNumber(1, BATCH_ITEMS_MAX), 1_000)
    .option('--in-flight <calls>', 'concurrent calls', wholeNumber(1, 64), 4)
    .option('--patience <seconds>', 'how long to retry while Restate does not answer', wholeNumber(1, 86_400), 300)
    .option('--rejected <file>', 'file for rejected rows, as JSON lines (default: <first file>.rejected.jsonl)')
    .option('--ingress <url>', "address of Restate's ingress (default: RESTATE_INGRESS_URL, or the ingress of npm start)")
    .addHelpText('after', HELP)
    .action(async (files: string[], options: Options) => importFiles(planOf(files, rules, options)))
}

async function importFiles(plan: ImportPlan): Promise<void> {
  // Without this V8 collects garbage late when much memory is free: half a million rows peaked at 360 MiB instead of 158 MiB.
  setFlagsFromString('--optimize-for-size')
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  const startedAt = performance.now()
  const tallies = await runImport({ ...plan, signal: interrupted.signal }, progressOn(process.stderr))
  print(...summaryOf(tallies, (performance.now() - startedAt) / 1_000, process.resourceUsage().maxRSS))
  if (existsSync(plan.rejectedPath)) print(`Rejected rows, with their lines and reasons: ${plan.rejectedPath}`)
}

function planOf(paths: string[], rules: readonly RuleText[], options: Options): ImportPlan {
  const { format, delimiter, columns, encoding } = options
  const kind = kindOf(options)
  return {
    kind,
    paths,
    form: { format, delimiter, columns, encoding },
    rules: rules.map(([verb, text]) => ruleOf(verb, text, kind)),
    values: valueMapsOf(options.values ?? [], kind),
    time: { unit: options.timeUnit, offsetMinutes: offsetMinutesOf(options.utcOffset) },
    mayMissColumns: options.allowMissing ?? false,
    ingressUrl: options.ingress ?? addressesOf(readConfig(process.env)).ingressUrl,
    batchRows: options.batch,
    inFlightMax: options.inFlight,
    patienceMs: options.patience * 1_000,
    rejectedPath: options.rejected ?? `${basename(paths[0]!)}.rejected.jsonl`,
  }
}

function kindOf({ products: areProducts = false, priceDecimals }: Options): ItemKind {
  if (areProducts) return products({ priceDecimals })
  if (priceDecimals !== undefined) throw new StartError('--price-decimals is for prices of products: add --products.')
  return INTERACTIONS
}

const HELP = `
Fields of an interaction: event_id, occurred_at, account_id, account_number, session_id, event_type, ref_type (Product unless
given), ref_id, metadata (JSON), metadata.<key>, user_agent, ip_address. Fields of a product (--products): product_id,
seller_id, name, category, brand, price, currency, quantity, status, updated_at. Without --map, a column
with the name of a field is that field.

Rules for a field are tried in the order of the command; the first rule with a value whose condition holds wins. A condition is
COLUMN = VALUE (or != < <= > >= as numbers, ^= starts with), or COLUMN is [not] empty; "and" joins several. Put a column or a
value with special characters in double quotes. A row without an event_type is rejected.

Times: RFC 3339, 2026-03-01 12:00:00 (also with UTC or an offset), 2026-03-01, or numbers with --time-unit.

An event's id is made from the content of its row, so running an import again changes nothing, and a row that appears twice
counts once. Recorded events stay as they are even when the rules change; only a row with another time (by another column,
--utc-offset or --time-unit) becomes another event.

The newest updated_at of a product wins. A row without updated_at gets the time at which its file was written, so running the
import again changes nothing, and a file that was written later wins (touch it, so that its rows win after a change of rules).
The status is active unless a rule says hidden or deleted. A price is in minor units, e.g. cents, unless --price-decimals says
that it is decimal: with 2, 19.9 is 1990, exactly. A price needs a currency; without a price the currency is left out.

Examples:
  $ footfall import events.csv --map account_id=user_id --map ref_id=product_id --map occurred_at=event_time \\
      --map event_type=event_type --values event_type:cart=add_to_cart --map metadata.price=price
  $ footfall import invoices.csv.gz --map ref_id=StockCode --map occurred_at=InvoiceDate --map account_id=CustomerID \\
      --map 'session_id=InvoiceNo if CustomerID is empty' \\
      --set 'event_type=return_product if InvoiceNo ^= C' --set 'event_type=purchase if Quantity > 0'
  $ footfall import --products products.csv --map product_id=sku --map name=title --map category=shelf \\
      --map price=price --price-decimals 2 --set currency=EUR --set 'status=hidden if online = no'
`

function listed(text: string, before: string[] = []): string[] {
  return [...before, text]
}

function namesOf(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (new Set(names).size < names.length) throw new InvalidArgumentError('A name appears twice.')
  return names
}

function delimiterOf(text: string): string {
  const delimiter = text === 'tab' || text === '\\t' ? '\t' : text
  if (delimiter.length === 1 && !'"\r\n'.includes(delimiter)) return delimiter
  throw new InvalidArgumentError('It is one character, or "tab".')
}

function encodingOf(text: string): string {
  try {
    return new TextDecoder(text).encoding
  } catch {
    throw new InvalidArgumentError('This encoding is unknown.')
  }
}
