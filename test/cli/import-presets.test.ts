import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PRESETS } from '../../src/cli/import/presets/all.ts'
import { presetRulesOf } from '../../src/cli/import/presets/with-preset.ts'
import { StartError } from '../../src/main/config/start-error.ts'
import { mapFile } from '../harness/items/mapped-files.ts'

const FOLDER = join(import.meta.dirname, 'preset-files')
const DOCUMENTED = join(import.meta.dirname, '../../docs/import-presets.md')
const contentOf = (name: string) => readFileSync(join(FOLDER, name))

/** Maps a file of the folder. The ids that are made of a row's content are left out of the items. */
async function mapped(name: string, ...options: string[]) {
  const { items, ...rest } = await mapFile(name, contentOf(name), options)
  return { ...rest, items: items.map(({ event_id: _id, ref_type: _type, ...item }) => item) }
}

const at = (clock: string, day = '2026-03-01') => ({ occurred_at: `${day}T${clock}Z` })
const nothing = (field: string, choices = field) => ({ field, reason: `no rule gives ${choices} a value` })
const NO_SHOPPER = nothing('account_id', 'account_id or session_id')

/** What each file becomes: the file, options, items, refused rows, duplicates, and the rows that are left out. */
interface Case {
  file: string
  options: string[]
  items: object[]
  refused?: object[]
  duplicates?: number
  ignored?: string
}

const GA4_SESSION = { session_id: '1111.2222 1772359100' }
const KARI = { account_id: 'kari', ...GA4_SESSION }
const NINA = { account_id: 'nina', session_id: 'anon-1' }
const segment = (n: number, key = '') => ({ event_key: `ajs-next-${n}${key}`, ...at(`10:00:${String(n).padStart(2, '0')}.000`) })
const product = (product_id: string, name: string, more: object) => ({ product_id, name, status: 'active', ...more })
const FILE_TIME = { updated_at: expect.stringMatching(/Z$/) as string }

const CASES: readonly Case[] = [
  {
    file: 'ga4.jsonl',
    options: ['--preset', 'ga4'],
    items: [
      { event_type: 'product_impression', ref_id: 'KET-1', ...GA4_SESSION, ...at('10:00:02.000') },
      { event_type: 'product_impression', ref_id: 'MUG-2', ...GA4_SESSION, ...at('10:00:02.000') },
      { event_type: 'product_impression', ref_id: 'TRAY-3', ...GA4_SESSION, ...at('10:00:02.000') },
      { event_type: 'product_click', ref_id: 'KET-1', ...GA4_SESSION, ...at('10:00:03.000') },
      { event_type: 'view', ref_id: 'KET-1', ...GA4_SESSION, ...at('10:00:04.000') },
      { event_type: 'add_to_cart', ref_id: 'KET-1', ...GA4_SESSION, ...at('10:00:05.000') },
      { event_type: 'checkout_started', ref_id: 'KET-1', ...KARI, ...at('10:00:07.000') },
      { event_type: 'purchase', ref_id: 'KET-1', ...KARI, ...at('10:00:08.123') },
      { event_type: 'purchase', ref_id: 'MUG-2', ...KARI, ...at('10:00:08.123') },
      { event_type: 'return_product', ref_id: 'MUG-2', account_id: 'kari', session_id: '1111.2222', ...at('10:00:11.000') },
    ],
    refused: [
      { line: 10, ...nothing('ref_id') },
      { line: 11, ...NO_SHOPPER },
    ],
    ignored: 'Left out by --preset ga4: 4 rows of other event types: page_view (2), session_start (1), view_cart (1).',
  },
  {
    file: 'ga4.jsonl',
    options: ['--preset', 'ga4', '--products'],
    items: [
      ['KET-1', 'Kettle', 2, { category: 'Kitchen', brand: 'Fjord' }] as const,
      ['MUG-2', 'Mug', 2, { category: 'Kitchen' }] as const,
      ['TRAY-3', 'Tray', 2, {}] as const,
      ...[3, 4, 5, 6, 7, 8].map((second) => ['KET-1', 'Kettle', second, { category: 'Kitchen', brand: 'Fjord' }] as const),
      ...[8, 10, 11].map((second) => ['MUG-2', 'Mug', second, { category: 'Kitchen' }] as const),
    ].map(([id, name, second, more]) => {
      const time = `2026-03-01T10:00:${String(second).padStart(2, '0')}.${second === 8 ? '123' : '000'}Z`
      return product(id, name, { updated_at: time, ...more })
    }),
    ignored: 'Left out by --preset ga4: 4 rows without the name of a product: page_view (2), purchase (1), session_start (1).',
  },
  {
    file: 'segment.jsonl',
    options: ['--preset', 'segment'],
    items: [
      { event_type: 'view', ref_id: 'p-vase', session_id: 'anon-1', ...segment(3) },
      { event_type: 'product_impression', ref_id: 'V-1', session_id: 'anon-1', ...segment(4) },
      { event_type: 'product_impression', ref_id: 'p-bowl', session_id: 'anon-1', ...segment(4, '[1]') },
      { event_type: 'view', ref_id: 'p-vase', ...NINA, ...segment(6) },
      { event_type: 'add_to_cart', ref_id: 'p-vase', ...NINA, ...segment(7) },
      { event_type: 'checkout_started', ref_id: 'p-vase', ...NINA, ...segment(8) },
      { event_type: 'purchase', ref_id: 'p-vase', ...NINA, ...segment(9) },
      { event_type: 'purchase', ref_id: 77, ...NINA, ...segment(9, '[1]') },
      { event_type: 'purchase', ref_id: 'old-1', ...NINA, ...segment(12) },
    ],
    refused: [
      { line: 10, ...nothing('ref_id') },
      { line: 13, ...NO_SHOPPER },
    ],
    ignored:
      'Left out by --preset segment: 4 rows of other event types: Product List Viewed (1), Signed Up (1), identify (1), page (1).',
  },
  {
    file: 'segment.jsonl',
    options: ['--preset', 'segment', '--products'],
    items: [
      product('V-1', 'Vase', { updated_at: '2026-03-01T10:00:04.000Z' }),
      product('p-bowl', 'Bowl', { updated_at: '2026-03-01T10:00:04.000Z' }),
      ...['06', '07', '08', '09'].map((second) =>
        product('p-vase', 'Vase', { category: 'Decor', brand: 'Lund', updated_at: `2026-03-01T10:00:${second}.000Z` }),
      ),
      product(77 as unknown as string, 'Bowl', { updated_at: '2026-03-01T10:00:09.000Z' }),
      product('old-1', 'Old lamp', { updated_at: '2026-03-01T10:00:12.000Z' }),
      product('p-vase', 'Vase', { category: 'Decor', brand: 'Lund', updated_at: '2026-03-01T10:00:13.000Z' }),
    ],
    ignored:
      'Left out by --preset segment: 6 rows without the name of a product: page (2), Order Refunded (1), Product List Viewed (1), Signed Up (1), identify (1).',
  },
  {
    file: 'rudderstack.jsonl',
    options: ['--preset', 'rudderstack'],
    items: [
      { event_type: 'view', ref_id: 'p-vase', session_id: 'anon-1 1772359100', ...segment(1) },
      { event_type: 'purchase', ref_id: 'p-vase', account_id: 'nina', session_id: 'anon-1 1772359100', ...segment(2) },
      { event_type: 'purchase', ref_id: 'p-bowl', account_id: 'nina', session_id: 'anon-1 1772359100', ...segment(2, '[1]') },
      { event_type: 'remove_from_cart', ref_id: 'p-vase', account_id: 'nina', event_key: 'ajs-next-3', ...at('12:00:03.000') },
      { event_type: 'view', ref_id: 'p-vase', session_id: 'anon-1', ...segment(4) },
    ],
    ignored: 'Left out by --preset rudderstack: 1 row of other event types: Cart Viewed (1).',
  },
  {
    file: 'gorse-feedback.csv',
    options: ['--preset', 'gorse'],
    items: [
      { event_type: 'view', ref_id: 'tea-1', account_id: 'ida', ...at('03:04:05.123', '2026-01-02') },
      { event_type: 'add_to_favorites', ref_id: 'tea-1', account_id: 'ida', ...at('03:00:00.000', '2026-01-02') },
      { event_type: 'add_to_cart', ref_id: 'tea-2', account_id: 'leo', ...at('00:00:00.000', '2026-01-03') },
      { event_type: 'share', ref_id: 'tea-2', account_id: 'leo', ...at('21:00:01.000', '2026-01-02') },
    ],
    refused: [
      { line: 6, ...nothing('occurred_at', 'occurred_at or event_id') },
      { line: 7, field: 'event_type', reason: 'must be 1 to 64 of a-z, 0-9 and _' },
    ],
  },
  {
    file: 'gorse-feedback.jsonl',
    options: ['--preset', 'gorse'],
    items: [
      { event_type: 'view', ref_id: 'tea-1', account_id: 'ida', ...at('03:04:05.123', '2026-01-02') },
      { event_type: 'purchase', ref_id: 'tea-1', account_id: 'ida', ...at('04:00:00.000', '2026-01-02') },
    ],
    refused: [{ line: 3, ...nothing('occurred_at', 'occurred_at or event_id') }],
  },
  {
    file: 'gorse-items.csv',
    options: ['--preset', 'gorse', '--products'],
    items: [
      product('tea-1', 'Sencha, first flush', { category: 'green', ...FILE_TIME }),
      product('tea-2', 'Assam', { category: 'black', ...FILE_TIME, status: 'hidden' }),
      product('tea-3', 'tea-3', FILE_TIME),
    ],
    refused: [{ line: 5, ...nothing('product_id') }],
  },
  {
    file: 'gorse-feedback.csv',
    options: ['--preset', 'gorse', '--products'],
    items: [],
    refused: [2, 3, 4, 5, 6, 7].map((line) => ({ line, ...nothing('name') })),
  },
  {
    file: 'gorse-items.jsonl',
    options: ['--preset', 'gorse', '--products'],
    items: [
      product('tea-1', 'Sencha', { category: 'green', ...FILE_TIME }),
      product('tea-2', 'tea-2', { ...FILE_TIME, status: 'hidden' }),
    ],
  },
  {
    file: 'gorse-items-table.csv',
    options: ['--preset', 'gorse', '--products'],
    items: [
      product('tea-1', 'Sencha', { category: 'green', ...FILE_TIME }),
      product('tea-2', 'Assam', { ...FILE_TIME, status: 'hidden' }),
    ],
  },
  {
    file: 'rees46.csv',
    options: ['--preset', 'rees46'],
    items: [
      ...(
        [
          ['00:00:00.000', 'view'],
          ['00:00:05.000', 'add_to_cart'],
          ['00:00:09.000', 'remove_from_cart'],
        ] as const
      ).map(([clock, event_type]) => ({
        ...{ event_type, ref_id: '9000001', account_id: '5001', session_id: '11111111-aaaa-4bbb-8ccc-000000000001' },
        ...at(clock, '2019-10-01'),
      })),
      { event_type: 'purchase', ref_id: '9000002', account_id: '5002', ...at('00:01:00.000', '2019-10-01') },
    ],
    duplicates: 1,
    refused: [
      { line: 7, ...nothing('ref_id') },
      { line: 8, field: 'occurred_at', reason: '"not a time" is not a time' },
    ],
  },
  {
    file: 'rees46.csv',
    options: ['--preset', 'rees46', '--products'],
    items: [
      ...['00:00:00', '00:00:05', '00:00:09'].map((clock) =>
        product('9000001', '9000001', { category: 'electronics.audio', brand: 'acme', updated_at: `2019-10-01T${clock}.000Z` }),
      ),
      ...[1, 2].map(() =>
        product('9000002', '9000002', { category: '2053013555631882656', updated_at: '2019-10-01T00:01:00.000Z' }),
      ),
    ],
    refused: [
      { line: 7, ...nothing('product_id') },
      { line: 8, field: 'updated_at', reason: '"not a time" is not a time' },
    ],
  },
  {
    file: 'retailrocket-events.csv',
    options: ['--preset', 'retailrocket'],
    items: [
      { event_type: 'view', ref_id: '8001', account_id: '257', ...at('05:02:12.117', '2015-06-02') },
      { event_type: 'add_to_cart', ref_id: '8001', account_id: '257', ...at('05:03:20.000', '2015-06-02') },
      { event_type: 'purchase', ref_id: '8001', account_id: '257', ...at('05:05:00.000', '2015-06-02') },
    ],
    refused: [{ line: 5, ...nothing('ref_id') }],
  },
  {
    file: 'retailrocket-properties.csv',
    options: ['--preset', 'retailrocket', '--products'],
    items: [
      product('8001', '8001', { category: '1338', updated_at: '2015-06-28T03:00:00.000Z' }),
      product('8001', '8001', { category: '1400', updated_at: '2015-09-13T03:00:00.000Z' }),
      product('8002', '8002', { category: '1338', updated_at: '2015-09-13T03:00:00.000Z' }),
    ],
    ignored: 'Left out by --preset retailrocket: 2 rows of other properties.',
  },
  ...['online-retail.csv', 'online-retail-iso.csv', 'online-retail-ii.csv'].map((file): Case => {
    const id = (number: string) => ({ account_id: file === 'online-retail-iso.csv' ? `${number}.0` : number })
    return {
      file,
      options: ['--preset', 'online-retail'],
      items: [
        { event_type: 'purchase', ref_id: 'LAMP1', ...id('17001'), ...at('08:26:00.000', '2010-12-01') },
        { event_type: 'purchase', ref_id: 'LAMP1', session_id: '536366', ...at('08:28:00.000', '2010-12-01') },
        { event_type: 'return_product', ref_id: 'LAMP1', ...id('17001'), ...at('09:41:00.000', '2010-12-01') },
        { event_type: 'purchase', ref_id: 'CUP-2', ...id('17002'), ...at('14:06:00.000', '2010-12-31') },
        { event_type: 'purchase', ref_id: 'CUP-2', ...id('17002'), ...at('14:07:00.000', '2010-12-31') },
      ],
      refused: [{ line: 5, ...nothing('event_type') }],
    }
  }),
  ...['online-retail.csv', 'online-retail-ii.csv'].map((file): Case => ({
    file,
    options: ['--preset', 'online-retail', '--products'],
    items: [
      product('LAMP1', 'BRASS LAMP', { price: 255, currency: 'GBP', updated_at: '2010-12-01T08:26:00.000Z' }),
      product('LAMP1', 'BRASS LAMP', { price: 255, currency: 'GBP', updated_at: '2010-12-01T08:28:00.000Z' }),
      product('CUP-2', 'TEA CUP, BLUE', { price: 375, currency: 'GBP', updated_at: '2010-12-31T14:07:00.000Z' }),
    ],
    refused: [{ line: 6, field: 'price', reason: '"3.755" has more than 2 decimals' }],
    ignored: 'Left out by --preset online-retail: 2 rows without the description of a sale.',
  })),
  {
    file: 'olist-items.csv',
    options: ['--preset', 'olist'],
    items: [1, 2]
      .map((item) => ({
        ...{ event_type: 'purchase', ref_id: 'prod-1', session_id: 'order-a', event_key: `order-a ${item}` },
        ...at('10:00:00.000', '2018-05-02'),
      }))
      .concat([
        {
          ...{ event_type: 'purchase', ref_id: 'prod-2', session_id: 'order-b', event_key: 'order-b 1' },
          ...at('11:00:00.000', '2018-05-03'),
        },
      ]),
    refused: [{ line: 5, ...nothing('ref_id') }],
  },
  {
    file: 'olist-joined.csv',
    options: ['--preset', 'olist'],
    items: [1, 2].map((item) => ({
      ...{ event_type: 'purchase', ref_id: 'prod-1', account_id: 'person-1', event_key: `order-a ${item}` },
      ...at('09:30:00.000', '2018-04-26'),
    })),
    duplicates: 1,
    ignored: 'Left out by --preset olist: 2 rows of canceled orders: canceled (1), unavailable (1).',
  },
  {
    file: 'olist-products.csv',
    options: ['--preset', 'olist', '--products'],
    items: [product('prod-1', 'prod-1', { category: 'brinquedos', ...FILE_TIME }), product('prod-2', 'prod-2', FILE_TIME)],
    refused: [{ line: 4, ...nothing('product_id') }],
  },
  {
    file: 'olist-items.csv',
    options: ['--preset', 'olist', '--products'],
    items: [
      ...[1, 2].map(() => ({ id: 'prod-1', seller_id: 'seller-1', price: 5_890, time: '2018-05-02T10:00:00.000Z' })),
      { id: 'prod-2', seller_id: 'seller-2', price: 990, time: '2018-05-03T11:00:00.000Z' },
    ].map(({ id, time, ...more }) => product(id, id, { ...more, currency: 'BRL', updated_at: time })),
    refused: [{ line: 5, ...nothing('product_id') }],
  },
  {
    file: 'shopify-orders.csv',
    options: ['--preset', 'shopify-orders'],
    items: [
      ['SC-RED-M', '#1001 SC-RED-M'],
      ['Gift wrap', '#1001 Gift wrap'],
      ['HAT-1', '#1001 HAT-1'],
    ]
      .map(([ref_id, event_key]): object => ({
        ...{ event_type: 'purchase', ref_id, event_key, account_id: 'mia@shop.example' },
        ...at('08:00:00.000', '2026-02-01'),
      }))
      .concat({
        ...{ event_type: 'purchase', ref_id: 'HAT-1', event_key: '#1004 HAT-1', session_id: '#1004' },
        ...at('09:00:00.000', '2026-02-04'),
      }),
    refused: [{ line: 10, ...nothing('occurred_at', 'occurred_at or event_id') }],
    ignored: 'Left out by --preset shopify-orders: 3 rows of cancelled, voided or expired orders.',
  },
  {
    file: 'shopify-orders.csv',
    options: ['--preset', 'shopify-orders', '--products'],
    items: [
      { id: 'SC-RED-M', name: 'Scarf - Red / M', price: 2_500, updated_at: '2026-02-01T08:00:00.000Z' },
      { id: 'Gift wrap', name: 'Gift wrap', price: 500, updated_at: '2026-02-01T08:00:00.000Z' },
      { id: 'HAT-1', name: 'Hat', price: 2_500, updated_at: '2026-02-01T08:00:00.000Z' },
      { id: 'HAT-1', name: 'Hat', price: 2_500, updated_at: '2026-02-02T09:00:00.000Z' },
      { id: 'GLO-1', name: 'Glove', price: 1_500, updated_at: '2026-02-02T09:00:00.000Z' },
      { id: 'HAT-1', name: 'Hat', price: 2_500, updated_at: '2026-02-03T09:00:00.000Z' },
      { id: 'HAT-1', name: 'Hat', price: 2_500, ...FILE_TIME },
    ].map(({ id, name, ...more }) => product(id, name, { ...more, currency: 'EUR', brand: 'Woolen' })),
    refused: [{ line: 9, field: 'price', reason: '"27.505" has more than 2 decimals, and EUR has 2' }],
  },
]

describe('a preset maps its format, and says what it refuses and leaves out', () => {
  test.each(CASES.map((each) => [`${each.options.join(' ')} ${each.file}`, each] as const))('%s', async (_title, expected) => {
    const { items, refused, duplicates, ignored } = await mapped(expected.file, ...expected.options)
    expect({ items, refused, duplicates, ignored }).toEqual({
      items: expected.items,
      refused: expected.refused ?? [],
      duplicates: expected.duplicates ?? 0,
      ignored: expected.ignored,
    })
  })
})

test('every preset has cases for its interactions and its products, and every file is used', () => {
  const tried = CASES.map(({ options }) => options.slice(1).join(' '))
  const wanted = PRESETS.flatMap(({ name, products }) => (products === undefined ? [name] : [name, `${name} --products`]))
  expect(wanted.filter((each) => !tried.includes(each))).toEqual(['rudderstack --products'])
  expect(readdirSync(FOLDER).filter((name) => !CASES.some(({ file }) => file === name))).toEqual([])
})

test('the page of presets has a section with a command for every preset, and all names of events that it knows', () => {
  const sections = readFileSync(DOCUMENTED, 'utf8').split(/^## /m).slice(1)
  for (const { name, interactions } of PRESETS) {
    const section = sections.find((text) => new RegExp(`--preset ${name}\\b`).test(text))
    expect([name, section === undefined]).toEqual([name, false])
    const events = interactions.rules.map(([, rule]) => /^event_type=(\w+) if event(?:_name)? = (.+?)(?: and |$)/.exec(rule))
    for (const [, type, event] of events.filter((match) => match !== null)) {
      expect(section).toMatch(new RegExp(`${event}.*\`${type}\``))
    }
  }
})

test('Online Retail becomes the same events as by the documented rules', async () => {
  const rules = [
    'ref_id=StockCode',
    'occurred_at=InvoiceDate',
    'account_id=CustomerID',
    'session_id=InvoiceNo if CustomerID is empty',
  ]
  const types = ['event_type=return_product if InvoiceNo ^= C', 'event_type=purchase if Quantity > 0']
  const options = [...rules.flatMap((rule) => ['--map', rule]), ...types.flatMap((rule) => ['--set', rule])]
  const file = 'online-retail-iso.csv'
  const [byRules, byPreset] = await Promise.all([
    mapFile(file, contentOf(file), options),
    mapFile(file, contentOf(file), ['--preset', 'online-retail']),
  ])
  expect(byPreset).toEqual(byRules)
})

test('rees46: a row without a category does not replace a product that has one', async () => {
  const file = 'product_id,category_id,category_code,brand\n1,77,,acme\n1,,,\n2,78,,\n'
  const { items, ignored } = await mapFile('a.csv', file, ['--preset', 'rees46', '--products'])
  expect(items).toMatchObject([
    { product_id: '1', category: '77', brand: 'acme' },
    { product_id: '2', category: '78' },
  ])
  expect(ignored).toBe('Left out by --preset rees46: 1 row without a category.')
})

describe('options of the command come before those of a preset', () => {
  const first = async (file: string, ...options: string[]) => (await mapFile(file, contentOf(file), options)).items[0]

  test('rules', async () => {
    const options = ['--map', 'ref_id=category_code', '--set', 'ref_type=Category', '--map', 'metadata.price=price']
    expect(await first('rees46.csv', '--preset', 'rees46', ...options)).toMatchObject({
      ...{ ref_id: 'electronics.audio', ref_type: 'Category', account_id: '5001', metadata: { price: 49.9 } },
    })
  })

  test('a rule for an event that the preset leaves out', async () => {
    const rule = 'event_type=cart_view if event_name = view_cart'
    const { items, ignored } = await mapped('ga4.jsonl', '--preset', 'ga4', '--set', rule)
    expect(items.filter(({ event_type }) => event_type === 'cart_view')).toHaveLength(1)
    expect(ignored).toBe('Left out by --preset ga4: 3 rows of other event types: page_view (2), session_start (1).')
  })

  test("values, of the preset's rules too", async () => {
    const options = ['--preset', 'rees46', '--values', 'event_type:cart=basket', '--values', 'event_type:view=look']
    const { items } = await mapped('rees46.csv', ...options)
    expect(items.map(({ event_type }) => event_type)).toEqual(['look', 'basket', 'remove_from_cart', 'purchase'])
  })

  test('how times are read', async () => {
    const options = ['--preset', 'online-retail', '--time-format', 'dmy', '--time-zone', 'Europe/London']
    expect(await first('online-retail.csv', ...options)).toMatchObject(at('08:26:00.000', '2010-01-12'))
  })

  test('an identity, which replaces that of the preset', async () => {
    const options = ['--preset', 'olist', '--map', 'event_key=product_id + shipping_limit_date']
    expect(await first('olist-items.csv', ...options)).toMatchObject({ event_key: 'prod-1 2018-05-02 10:00:00' })
    const uuid = '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11'
    const file = `id,order_id,order_item_id,product_id,shipping_limit_date\n${uuid},o,1,p,2018-05-02 10:00:00\n`
    const { items } = await mapFile('a.csv', file, ['--preset', 'olist', '--map', 'event_id=id'])
    expect(items).toMatchObject([{ event_id: uuid, ref_id: 'p' }])
    expect(items[0]).not.toHaveProperty('event_key')
  })
})

test('an order of Shopify that is exported again with another status is the same purchase', async () => {
  const later = contentOf('shopify-orders.csv').toString().replace('paid,,', 'refunded,,')
  const before = await mapped('shopify-orders.csv', '--preset', 'shopify-orders')
  const { items } = await mapFile('shopify-orders.csv', later, ['--preset', 'shopify-orders'])
  expect(items.map(({ ref_type: _type, ...item }) => item)).toEqual(before.items)
})

describe('one sentence says', () => {
  const mapping = async (file: string, ...options: string[]) => mapFile(file, contentOf(file), options)

  test('which presets there are', async () => {
    await expect(mapping('rees46.csv', '--preset', 'kaggle')).rejects.toThrow(
      `argument 'kaggle' is invalid. Allowed choices are ${PRESETS.map(({ name }) => name).join(', ')}.`,
    )
  })

  test('that a preset has no products', () => {
    const interactions = { rules: [] }
    expect(presetRulesOf({ name: 'clicks', files: '', interactions }, { areProducts: false })).toBe(interactions)
    expect(() => presetRulesOf({ name: 'clicks', files: '', interactions }, { areProducts: true })).toThrow(
      new StartError('--preset clicks has no products: leave out --products, or map the columns with --map.'),
    )
  })

  test('that a file is not of the format', async () => {
    await expect(mapping('olist-products.csv', '--preset', 'shopify-orders')).rejects.toThrow(StartError)
    await expect(mapping('olist-products.csv', '--preset', 'shopify-orders')).rejects.toThrow(/^Nothing gives ref_id/)
    await expect(mapping('gorse-feedback.jsonl', '--preset', 'ga4')).rejects.toThrow(/^Nothing gives event_type/)
    await expect(mapping('rees46.csv', '--preset', 'gorse')).rejects.toThrow(/^Nothing gives event_type|^Nothing gives ref_id/)
  })

  test('that a column of the command is missing, although those of a preset may be', async () => {
    await expect(mapping('rees46.csv', '--preset', 'rees46', '--map', 'ref_id=sku')).rejects.toThrow('has no column "sku"')
  })
})

test('a list of Segment whose products have ids alone is shown, too', async () => {
  const record = {
    ...{ type: 'track', event: 'Product List Viewed', messageId: 'm', timestamp: '2026-03-01T10:00:00Z', userId: 'nina' },
    properties: { products: [{ id: 'lamp' }, { sku: 'desk' }, { name: 'no id' }] },
  }
  const { items, ignored } = await mapFile('a.json', JSON.stringify(record), ['--preset', 'segment'])
  expect(items).toMatchObject([
    { event_type: 'product_impression', ref_id: 'lamp' },
    { event_type: 'product_impression', ref_id: 'desk' },
  ])
  expect(ignored).toBe('Left out by --preset segment: 1 row of other event types: Product List Viewed (1).')
})
