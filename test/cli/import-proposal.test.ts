import { expect, test } from 'vitest'
import { normalised } from '../../src/cli/import/mapping/header-names.ts'
import { UsageError } from '../../src/main/config/start-error.ts'
import { mapFile } from '../harness/items/mapped-files.ts'

/** What is said about a file without the options it needs. */
async function complaintOf(name: string, content: string, options: string[] = []): Promise<string[]> {
  const error = await mapFile(name, content, options).catch((cause: Error) => cause)
  expect(error).toBeInstanceOf(UsageError)
  return (error as Error).message.replaceAll(/\S*\/footfall-mapped-[^/]*\//g, '').split('\n')
}

const csv = (...columns: string[]) => `${columns.join(',')}\n${columns.map(() => 'x').join(',')}\n`
const record = (value: object) => `${JSON.stringify(value)}\n`

test('all fields that are needed and missing are named together, with what the names of the columns suggest', async () => {
  expect(await complaintOf('shop.csv', csv('InvoiceNo', 'StockCode', 'InvoiceDate', 'Customer ID'))).toEqual([
    'Nothing gives event_type; ref_id; account_id or session_id; occurred_at or event_id for shop.csv; its columns are "InvoiceNo", "StockCode", "InvoiceDate", "Customer ID".',
    'By the names of its columns, this may be right once the words in capitals are replaced:',
    "  --map occurred_at=InvoiceDate --map 'account_id=Customer ID' --map ref_id=StockCode --set event_type=TYPE",
  ])
})

/** Columns of files that people have, and the options that are proposed for them. */
const FILES: [name: string, content: string, options: string[], fragment: string][] = [
  [
    'retailrocket.csv',
    csv('timestamp', 'visitorid', 'event', 'itemid', 'transactionid'),
    [],
    '--map occurred_at=timestamp --map account_id=visitorid --map event_type=event --map ref_id=itemid',
  ],
  [
    'rees46.csv',
    csv('event_time', 'event_type', 'product_id', 'price', 'user_id', 'user_session'),
    [],
    '--map event_type=event_type --map occurred_at=event_time --map account_id=user_id --map session_id=user_session --map ref_id=product_id --map metadata.price=price',
  ],
  [
    'signs.csv',
    csv('Event-Time', 'USER_ID', 'visitor id', 'Event Name', 'SKU'),
    [],
    "--map occurred_at=Event-Time --map account_id=USER_ID --map 'session_id=visitor id' --map 'event_type=Event Name' --map ref_id=SKU",
  ],
  [
    'kunden.csv',
    csv('Datum', 'Uhrzeit', 'Kunde', 'Artikel-Nr', 'Preis'),
    [],
    "--map 'occurred_at=Datum + Uhrzeit' --map account_id=Kunde --map ref_id=Artikel-Nr --map metadata.price=Preis --set event_type=TYPE",
  ],
  [
    'bestellungen.csv',
    csv('Zeit', 'Datum', 'Kundennummer', 'Artikelnummer', 'Menge'),
    ['--set', 'event_type=purchase'],
    "--map 'occurred_at=Datum + Zeit' --map account_id=Kundennummer --map ref_id=Artikelnummer --map metadata.quantity=Menge",
  ],
  [
    'shopify.csv',
    csv('Name', 'Created at', 'Customer ID', 'Lineitem sku', 'Lineitem price', 'Lineitem quantity'),
    [],
    "--map 'occurred_at=Created at' --map 'account_id=Customer ID' --map 'ref_id=Lineitem sku' --map 'metadata.price=Lineitem price' --map 'metadata.quantity=Lineitem quantity' --set event_type=TYPE",
  ],
  [
    'ga4.jsonl',
    record({
      ...{ event_date: '20260301', event_timestamp: '1', event_name: 'view_item', user_pseudo_id: 'u' },
      ...{ event_params: [{ key: 'page', value: { string_value: 'x' } }], items: [{ item_id: 'i', item_name: 'n', price: 1 }] },
    }),
    [],
    "--map occurred_at=event_timestamp --map account_id=user_pseudo_id --map event_type=event_name --map 'ref_id=items[].item_id' --map 'metadata.price=items[].price'",
  ],
  [
    'lines.csv',
    'event,ts,user,"item\nid"\nview,1,u,i\n',
    [],
    '--map occurred_at=ts --map account_id=user --map event_type=event --map ref_id=COLUMN',
  ],
  [
    'nothing.csv',
    csv('a', 'b'),
    [],
    '--set event_type=TYPE --map ref_id=COLUMN --map account_id=COLUMN --map occurred_at=COLUMN',
  ],
  [
    'segment.jsonl',
    record({ timestamp: 't', userId: 'u', event: 'e', type: 'track', properties: { products: [{ product_id: 'p', price: 1 }] } }),
    [],
    "--map occurred_at=timestamp --map account_id=userId --map event_type=event --map 'ref_id=properties.products[].product_id' --map 'metadata.price=properties.products[].price'",
  ],
  [
    'nested.jsonl',
    record({ at: { time: 't' }, user: { id: 'u' }, product: { id: 'p', name: 'n' }, action: 'view' }),
    [],
    '--map occurred_at=at.time --map account_id=user.id --map event_type=action --map ref_id=product.id',
  ],
  [
    'one list only.jsonl',
    record({ ts: 1, items: [{ sku: 's' }], users: [{ user_id: 'u' }], event: 'view' }),
    [],
    "--map occurred_at=ts --map 'account_id=users[].user_id' --map event_type=event --map ref_id=COLUMN",
  ],
  [
    'some mapped.csv',
    csv('user_id', 'when', 'sku', 'event', 'price'),
    ['--map', 'occurred_at=when', '--set', 'event_type=view'],
    '--map ref_id=sku --map account_id=user_id',
  ],
  [
    'kept.csv',
    csv('account_id', 'metadata.shelf', 'event_id', 'occurred_at', 'item', 'event_type'),
    [],
    '--map account_id=account_id --map metadata.shelf=metadata.shelf --map occurred_at=occurred_at --map event_type=event_type --map ref_id=item',
  ],
  [
    'object.jsonl',
    record({ metadata: { price: 1 }, userId: 'u', item: 'i', event_type: 'view', occurred_at: 't' }),
    [],
    '--map event_type=event_type --map metadata=metadata --map occurred_at=occurred_at --map account_id=userId --map ref_id=item',
  ],
  [
    'for a shell.csv',
    csv('event', "user'id", 'sku', 'ts'),
    [],
    String.raw`--map occurred_at=ts --map 'account_id=user'\''id' --map event_type=event --map ref_id=sku`,
  ],
  [
    'quoted.csv',
    csv('event', 'user', 'article + no', 'ts'),
    ['--map', 'occurred_at=ts'],
    `--map event_type=event --map 'ref_id="article + no"' --map account_id=user`,
  ],
  [
    'products.csv',
    csv('SKU', 'Title', 'Vendor', 'Price'),
    ['--products'],
    '--map product_id=SKU --map name=Title --map seller_id=Vendor',
  ],
  ['no name.csv', csv('id', 'brand'), ['--products'], '--map brand=brand --map product_id=id --map name=COLUMN'],
]

test.each(FILES)('%s is mapped by the names of its columns', async (name, content, options, fragment) => {
  const lines = await complaintOf(name, content, options)
  expect(lines.at(-1)!.trim()).toBe(fragment)
})

test('a file without a usual name, and perhaps without a header row, gets the options to fill in', async () => {
  const lines = await complaintOf('a.csv', '2026-03-01,ada,view,lamp\n2026-03-02,ada,view,desk\n')
  expect(lines.slice(1)).toEqual([
    'If its first row is no header, --columns names the columns.',
    'No column has a usual name. This is right once the words in capitals are replaced:',
    '  --set event_type=TYPE --map ref_id=COLUMN --map account_id=COLUMN --map occurred_at=COLUMN',
  ])
})

test('a header row that begins with # is named with what helps, and --columns does', async () => {
  const content = '#,time,user,item\n1,2026-03-01Z,ada,lamp\n2,2026-03-01Z,ben,desk\n'
  const rules = ['occurred_at=time', 'account_id=user', 'ref_id=item'].flatMap((rule) => ['--map', rule])
  const options = [...rules, '--set', 'event_type=view']
  expect((await complaintOf('a.csv', content, options)).at(-1)).toBe(
    'Lines above that begin with # were skipped; if one of them is the header row, --columns names the columns.',
  )
  const { items } = await mapFile('a.csv', content, [...options, '--columns', '#,time,user,item'])
  expect(items).toMatchObject([{ ref_id: 'lamp' }, { ref_id: 'desk' }])
})

test('a proposal is right as it is, where the names are usual', async () => {
  const content = 'Event Time,User ID,Event,Stock Code\n2026-03-01 12:00,ada,view,lamp\n'
  const lines = await complaintOf('a.csv', content)
  const words = [...lines.at(-1)!.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word)
  expect((await mapFile('a.csv', content, words)).items).toMatchObject([
    { occurred_at: '2026-03-01T12:00:00.000Z', account_id: 'ada', event_type: 'view', ref_id: 'lamp' },
  ])
})

test('every missing column of all rules is named', async () => {
  const options = ['--map', 'ref_id=produkt', '--map', 'session_id=sitzung if kunde is empty', '--map', 'occurred_at=when']
  const lines = await complaintOf('a.csv', csv('when', 'product'), options)
  expect(lines.slice(0, 3)).toEqual([
    `--map 'ref_id=produkt': a.csv has no column "produkt".`,
    `--map 'session_id=sitzung if kunde is empty': a.csv has no column "sitzung".`,
    `--map 'session_id=sitzung if kunde is empty': a.csv has no column "kunde" (--allow-missing reads it as empty); it has "when", "product".`,
  ])
  expect(lines[3]).toMatch(/^Nothing gives event_type for a\.csv/)
})

test('names are compared without their signs, cases and blanks', () => {
  expect(['User_ID', 'userId', ' user id ', 'USER-ID', 'user.id', 'ｕｓｅｒＩＤ'].map(normalised)).toEqual(
    Array(6).fill('userid'),
  )
  expect(normalised('Größe')).toBe('größe')
})
