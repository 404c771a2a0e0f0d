import fc from 'fast-check'
import { toUtcIn } from '../../src/cli/import/values/time-zone.ts'
import { describe, expect, test } from 'vitest'
import { mapFile } from '../harness/items/mapped-files.ts'

const HEADER = 'time,user,item,kind'
const MAPPED = ['occurred_at=time', 'account_id=user', 'ref_id=item', 'event_type=kind'].flatMap((rule) => ['--map', rule])

/** The time of a row, or the reason for which it is refused. */
async function timeOf(time: string, options: string[] = []): Promise<unknown> {
  const { items, refused } = await mapFile('a.csv', `time\tuser\titem\tkind\n${time}\tada\tlamp\tview\n`, [...MAPPED, ...options])
  return items[0]?.['occurred_at'] ?? refused[0]?.reason
}

const DMY = ['--time-format', 'dmy']
const MDY = ['--time-format', 'mdy']
const EXCEL = ['--time-format', 'excel']
const BERLIN = ['--time-zone', 'Europe/Berlin']

describe('times', () => {
  test.each<[string, string[], string]>([
    ['31.12.2026 14:05', DMY, '2026-12-31T14:05:00.000Z'],
    ['31.12.26', DMY, '2026-12-31T00:00:00.000Z'],
    ['1.3.2026, 9:05:07', DMY, '2026-03-01T09:05:07.000Z'],
    ['31/12/2026 2:05 PM', DMY, '2026-12-31T14:05:00.000Z'],
    ['31-12-2026T14:05:06.789+01:00', DMY, '2026-12-31T13:05:06.789Z'],
    ['2026-12-31 14:05:00', DMY, '2026-12-31T14:05:00.000Z'],
    ['12/1/2010 8:26', MDY, '2010-12-01T08:26:00.000Z'],
    ['12/31/2026 12:00 AM', MDY, '2026-12-31T00:00:00.000Z'],
    ['12/31/2026 12:30:15 p.m.', MDY, '2026-12-31T12:30:15.000Z'],
    ['12-31-26 23:59', MDY, '2026-12-31T23:59:00.000Z'],
    ['2026-03-01T10:15:00.5+01:00[Europe/Berlin]', [], '2026-03-01T09:15:00.500Z'],
    ['2026-03-01 10:15:00.123456789 +0100 CET', [], '2026-03-01T09:15:00.123Z'],
    ['2026-03-01 10:15:00 -0300 -03', [], '2026-03-01T13:15:00.000Z'],
    ['2026/3/1 7:05', [], '2026-03-01T07:05:00.000Z'],
    ['2026.03.01', [], '2026-03-01T00:00:00.000Z'],
    ['20260301', [], '2026-03-01T00:00:00.000Z'],
    ['20260301T101500Z', [], '2026-03-01T10:15:00.000Z'],
    ['20260301T101500+0100', [], '2026-03-01T09:15:00.000Z'],
    ['20260301101500', [], '2026-03-01T10:15:00.000Z'],
    ['202603011015', [], '2026-03-01T10:15:00.000Z'],
    ['Sun, 01 Mar 2026 10:15:00 +0100', [], '2026-03-01T09:15:00.000Z'],
    ['1 Mar 2026 10:15:00 GMT', [], '2026-03-01T10:15:00.000Z'],
    ['Sun, 1 Mar 26 10:15 EST', [], '2026-03-01T15:15:00.000Z'],
    ['01-MAR-26', [], '2026-03-01T00:00:00.000Z'],
    ['01-Mar-2026 10:15:30.5', [], '2026-03-01T10:15:30.500Z'],
    ['01/Mar/2026:10:15:00 -0700', [], '2026-03-01T17:15:00.000Z'],
    ['March 1, 2026 2:30 PM', [], '2026-03-01T14:30:00.000Z'],
    ['Mar 1st, 2026 at 2:30pm', [], '2026-03-01T14:30:00.000Z'],
    ['Sun Mar 01 2026 10:15:00 GMT+0100 (Central European Standard Time)', [], '2026-03-01T09:15:00.000Z'],
    ['Sun Mar  1 10:15:00 UTC 2026', [], '2026-03-01T10:15:00.000Z'],
    ['1772360100', [], '2026-03-01T10:15:00.000Z'],
    ['1772360100.25', [], '2026-03-01T10:15:00.250Z'],
    ['1772360100123', [], '2026-03-01T10:15:00.123Z'],
    ['1772360100123456', [], '2026-03-01T10:15:00.123Z'],
    ['1772360100123456789', [], '2026-03-01T10:15:00.123Z'],
    ['1772360100123456', ['--time-unit', 'us'], '2026-03-01T10:15:00.123Z'],
    ['46082.427083333', EXCEL, '2026-03-01T10:15:00.000Z'],
    ['46082', EXCEL, '2026-03-01T00:00:00.000Z'],
    ['46082,4375', EXCEL, '2026-03-01T10:30:00.000Z'],
    ['2026-03-01 10:15:00', EXCEL, '2026-03-01T10:15:00.000Z'],
    ['2026-03-01 10:15:00', BERLIN, '2026-03-01T09:15:00.000Z'],
    ['01.07.2026 10:15', [...DMY, ...BERLIN], '2026-07-01T08:15:00.000Z'],
    ['46204.4375', [...EXCEL, ...BERLIN], '2026-07-01T08:30:00.000Z'],
    ['2026-07-01 10:15:00Z', BERLIN, '2026-07-01T10:15:00.000Z'],
    ['2026-03-29 01:59:59', BERLIN, '2026-03-29T00:59:59.000Z'],
    ['2026-03-29 02:30:00', BERLIN, '2026-03-29T01:30:00.000Z'],
    ['2026-03-29 03:00:00', BERLIN, '2026-03-29T01:00:00.000Z'],
    ['2026-10-25 01:59:59', BERLIN, '2026-10-24T23:59:59.000Z'],
    ['2026-10-25 02:30:00', BERLIN, '2026-10-25T00:30:00.000Z'],
    ['2026-10-25 03:00:00', BERLIN, '2026-10-25T02:00:00.000Z'],
    ['2026-03-08 02:30:00', ['--time-zone', 'America/New_York'], '2026-03-08T07:30:00.000Z'],
    ['2026-04-05 01:45:00', ['--time-zone', 'Australia/Lord_Howe'], '2026-04-04T14:45:00.000Z'],
    ['2011-12-30 12:00:00', ['--time-zone', 'Pacific/Apia'], '2011-12-30T22:00:00.000Z'],
    ['2026-03-01 10:15:00', ['--utc-offset', '+05:30'], '2026-03-01T04:45:00.000Z'],
  ])('%s with %s is %s', async (text, options, instant) => {
    expect(await timeOf(text, options)).toBe(instant)
  })

  test.each<[string, string[], string]>([
    ['03/04/2026', [], 'is not a time (give --time-format dmy if its day is first, mdy if its month is first)'],
    ['31.12.2026 14:05', [], 'is not a time (give --time-format dmy if its day is first, mdy if its month is first)'],
    ['31.12.2026', MDY, 'is not a time in the order mdy'],
    ['12/31/2026', DMY, 'is not a time in the order dmy'],
    ['30.02.2026', DMY, 'is not a time in the order dmy'],
    ['1.3.2026 13:00 PM', DMY, 'is not a time in the order dmy'],
    ['46082.5', [], 'is not a time (give --time-format excel for days of a spreadsheet, or --time-unit for a time since 1970)'],
    ['0', [], 'is not a time (give --time-format excel'],
    ['20261301', [], 'is not a time (give'],
    ['31 Feb 2026', [], 'is not a time'],
    ['yesterday', DMY, 'is not a time'],
    ['2026-03-01 10:15 CEST', [], 'is not a time'],
    ['1772360100', ['--time-unit', 'ns'], '1970'],
  ])('%s with %s is refused', async (text, options, reason) => {
    const time = await timeOf(text, options)
    if (reason === '1970') expect(time).toMatch(/^1970/)
    else expect(time).toContain(`${JSON.stringify(text)} ${reason}`)
  })

  test('the sizes of numbers and times without a zone are told', async () => {
    const rows = ['1772360100', '1772360100123', '1772360101123', '2026-03-01 10:15'].map((time) => `${time},ada,lamp,view`)
    const { warnings } = await mapFile('a.csv', [HEADER, ...rows].join('\n'), MAPPED)
    expect(warnings).toEqual([
      '1 time was read as seconds since 1970, by the size of the numbers (--time-unit overrides).',
      '2 times were read as milliseconds since 1970, by the size of the numbers (--time-unit overrides).',
      '1 time was read as UTC, because no zone is written (--time-zone Europe/Berlin reads local times).',
    ])
    expect((await mapFile('a.csv', [HEADER, rows[3]].join('\n'), [...MAPPED, ...BERLIN])).warnings).toEqual([])
  })

  test('a date and a time in two columns are joined, and a name with a plus is written in quotes', async () => {
    const file = 'Datum;Uhrzeit;Kunde;A + B\n01.03.2026;10:15;ada;lamp\n02.03.2026;;ben;desk\n;;cleo;desk\n'
    const rules = ['occurred_at=Datum + Uhrzeit', 'account_id=Kunde', 'ref_id="A + B"'].flatMap((rule) => ['--map', rule])
    const { items, refused } = await mapFile('a.csv', file, [...rules, '--set', 'event_type=view', ...DMY, ...BERLIN])
    expect(items).toMatchObject([
      { occurred_at: '2026-03-01T09:15:00.000Z', ref_id: 'lamp' },
      { occurred_at: '2026-03-01T23:00:00.000Z', ref_id: 'desk' },
    ])
    expect(refused).toEqual([{ line: 4, field: 'occurred_at', reason: 'no rule gives occurred_at or event_id a value' }])
    await expect(
      mapFile('a.csv', file, ['--map', 'occurred_at=Datum + Zeit', ...rules.slice(2), '--set', 'event_type=view']),
    ).rejects.toThrow('has no column "Zeit"')
  })

  test('every local time of a zone is read as the first instant at which its clock shows it', () => {
    const zones = [
      'Europe/Berlin',
      'America/St_Johns',
      'Australia/Lord_Howe',
      'Pacific/Apia',
      'Africa/Casablanca',
      'Asia/Kathmandu',
      'UTC',
    ]
    const clocks = new Map(
      zones.map((timeZone) => [
        timeZone,
        new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }),
      ]),
    )
    const readers = new Map(zones.map((zone) => [zone, toUtcIn(zone)]))
    const minutes = fc.integer({ min: Date.UTC(2000) / 60_000, max: Date.UTC(2037) / 60_000 })
    // Near a change of the clocks more often than chance gives.
    const nearChange = fc.tuple(
      fc.constantFrom(
        '2026-03-29T01:00Z',
        '2026-10-25T01:00Z',
        '2026-04-04T15:00Z',
        '2026-10-03T15:30Z',
        '2026-11-01T04:30Z',
        '2011-12-30T10:00Z',
      ),
      fc.integer({ min: -240, max: 240 }),
    )
    const instant = fc
      .oneof(
        minutes,
        nearChange.map(([change, minutes]) => Date.parse(change) / 60_000 + minutes),
      )
      .map((minutes) => minutes * 60_000)
    fc.assert(
      fc.property(fc.constantFrom(...zones), instant, (zone, instant) => {
        const shown = (ms: number) => clocks.get(zone)!.format(ms)
        const localMs = Date.parse(`${shown(instant).replace(' ', 'T')}Z`)
        const read = readers.get(zone)!(localMs)
        expect(shown(read)).toBe(shown(instant))
        expect(read).toBeLessThanOrEqual(instant)
        for (const earlier of [30, 60].map((minutes) => read - minutes * 60_000)) expect(shown(earlier)).not.toBe(shown(instant))
      }),
      { numRuns: 500 },
    )
  })

  test('a zone that does not exist and two options for a zone are refused', async () => {
    await expect(timeOf('2026-03-01', ['--time-zone', 'Berlin'])).rejects.toThrow(
      '--time-zone Berlin: a time zone is UTC or a name such as Europe/Berlin.',
    )
    await expect(timeOf('2026-03-01', [...BERLIN, '--utc-offset', '+01:00'])).rejects.toThrow('cannot be used with')
  })
})

describe('prices and numbers', () => {
  const priceOf = async (price: string, options: string[], currency = 'EUR', name = 'a.csv') => {
    const { items, refused } = await mapFile(name, `product_id|name|price|currency\nlamp|Lamp|${price}|${currency}\n`, [
      '--products',
      ...options,
    ])
    return items[0]?.['price'] ?? refused[0]?.reason
  }
  const COMMA = ['--decimal', ',', '--price-decimals', '2']
  const POINT = ['--decimal', '.', '--price-decimals', '2']
  const AUTO = ['--price-decimals', 'auto']

  test.each<[string, string[], string, number]>([
    ['19,90', COMMA, 'EUR', 1_990],
    ['19', COMMA, 'EUR', 1_900],
    ['1.234,50', COMMA, 'EUR', 123_450],
    ['1.234.567,8', COMMA, 'EUR', 123_456_780],
    ['1 234,50', COMMA, 'EUR', 123_450],
    ['1\u00A0234,50', COMMA, 'EUR', 123_450],
    ['1\u202F234,50', COMMA, 'EUR', 123_450],
    ["1'234,50", COMMA, 'CHF', 123_450],
    ['1.234', COMMA, 'EUR', 123_400],
    ['1,234.50', POINT, 'USD', 123_450],
    ['12,34,567.50', POINT, 'INR', 123_456_750],
    ["1'234.50", POINT, 'CHF', 123_450],
    ['1234.5', POINT, 'USD', 123_450],
    ['19,90 €', COMMA, 'EUR', 1_990],
    ['EUR 1.019,90', COMMA, 'EUR', 101_990],
    ['$1,234.50', POINT, 'USD', 123_450],
    ['¥500', AUTO, 'JPY', 500],
    ['R$ 10,00', COMMA, 'BRL', 1_000],
    ['12.50 kr', AUTO, 'SEK', 1_250],
    ['500', AUTO, 'JPY', 500],
    ['500.00', AUTO, 'JPY', 500],
    ['1.5', AUTO, 'KWD', 1_500],
    ['1.505', AUTO, 'KWD', 1_505],
    ['19.9', AUTO, 'EUR', 1_990],
    ['19.9', AUTO, 'HUF', 1_990],
    ['1.234,567', [...AUTO, '--decimal', ','], 'IQD', 1_234_567],
  ])('%s with %s in %s is %s', async (text, options, currency, price) => {
    expect(await priceOf(text, options, currency)).toBe(price)
  })

  test.each<[string, string[], string, string]>([
    [
      '19,90',
      ['--price-decimals', '2'],
      'EUR',
      '"19,90" is not a price (give --decimal , or --decimal . for numbers with thousands separators)',
    ],
    ['19.90', COMMA, 'EUR', '"19.90" is not a price with "," before its decimals'],
    ['1.23,4', COMMA, 'EUR', 'is not a price'],
    ['1.234 567,8', COMMA, 'EUR', 'is not a price'],
    ['19,90', POINT, 'EUR', 'is not a price'],
    ['500.5', AUTO, 'JPY', '"500.5" has more than 0 decimals, and JPY has 0'],
    ['1.2345', AUTO, 'KWD', '"1.2345" has more than 3 decimals, and KWD has 3'],
    ['19.9', AUTO, '', '"19.9" needs a currency'],
    ['19,90 $', COMMA, 'EUR', 'is not a price'],
    ['19,90 €', COMMA, '', 'is not a price'],
    ['€', COMMA, 'EUR', 'is not a price'],
    ['-5', COMMA, 'EUR', 'is not a price'],
  ])('%s with %s in %s is refused', async (text, options, currency, reason) => {
    expect(await priceOf(text, options, currency)).toContain(reason)
  })

  test('prices of JSON are numbers, whatever the decimal mark of texts is', async () => {
    const products = [
      { product_id: 'a', name: 'A', price: 19.9, currency: 'EUR' },
      { product_id: 'b', name: 'B', price: '1.019,90', currency: 'EUR' },
    ]
    const { items } = await mapFile('a.json', JSON.stringify(products), ['--products', ...COMMA])
    expect(items.map((item) => item['price'])).toEqual([1_990, 101_990])
  })

  test('metadata, quantities and conditions follow the decimal mark', async () => {
    const file = 'time;user;item;price;count\n2026-03-01;ada;lamp;1.234,50;0,5\n2026-03-01;ben;desk;x;1.000\n'
    const rules = [
      '--map',
      'occurred_at=time',
      '--map',
      'account_id=user',
      '--map',
      'ref_id=item',
      '--map',
      'metadata.price=price',
    ]
    const types = ['--set', 'event_type=purchase if count >= 1', '--set', 'event_type=view if count < 0.6']
    const { items } = await mapFile('a.csv', file, [...rules, ...types, '--decimal', ','])
    expect(items).toMatchObject([
      { event_type: 'view', metadata: { price: 1234.5 } },
      { event_type: 'purchase', metadata: { price: 'x' } },
    ])
    const { items: products } = await mapFile('a.csv', 'product_id;name;quantity\na;A;1.200\n', ['--products', '--decimal', ','])
    expect(products).toMatchObject([{ quantity: 1_200 }])
  })
})

describe('empty and damaged cells', () => {
  const FILE = [
    HEADER,
    '2026-03-01Z,NULL,lamp,view',
    String.raw`2026-03-01Z,\N,desk,view`,
    '2026-03-01Z,ada,nan,view',
    '2026-03-01Z, ada ,#N/A,view',
  ]

  test('texts that may stand for nothing are counted, and read as empty when told', async () => {
    const { items, warnings } = await mapFile('a.csv', FILE.join('\n'), MAPPED)
    expect(items.map((item) => item['account_id'])).toEqual(['NULL', String.raw`\N`, 'ada', ' ada '])
    expect(warnings).toEqual([
      String.raw`Values that may stand for an empty cell were read as texts: "NULL" (once), "\\N" (once), "nan" (once), "#N/A" (once). To read them as empty, give --null 'NULL' --null '\N' --null 'nan' --null '#N/A'.`,
    ])
    const told = await mapFile('a.csv', FILE.join('\n'), [
      ...MAPPED,
      '--null',
      'NULL',
      '--null',
      String.raw`\N`,
      '--null',
      'nan',
      '--null',
      '#N/A',
    ])
    expect(told.refused.map(({ line, field }) => [line, field])).toEqual([
      [2, 'account_id'],
      [3, 'account_id'],
      [4, 'ref_id'],
      [5, 'ref_id'],
    ])
    expect(told.warnings).toEqual([])
  })

  test('conditions see the cells without nulls and blanks', async () => {
    const rules = [
      '--map',
      'occurred_at=time',
      '--map',
      'ref_id=item',
      '--map',
      'account_id=user',
      '--map',
      'session_id=kind if user is empty',
    ]
    const { items } = await mapFile('a.csv', [HEADER, '2026-03-01, NULL ,lamp,s1', '2026-03-01, ada ,desk,s2'].join('\n'), [
      ...rules,
      '--set',
      'event_type=view if user = ada',
      '--set',
      'event_type=cart if user is empty',
      '--null',
      'NULL',
      '--trim',
    ])
    expect(items).toMatchObject([
      { session_id: 's1', event_type: 'cart' },
      { account_id: 'ada', event_type: 'view' },
    ])
    expect(items[1]).not.toHaveProperty('session_id')
  })

  test('ids are the same with and without --null and --trim', async () => {
    const ids = async (options: string[]) =>
      (await mapFile('a.csv', [HEADER, '2026-03-01, ada ,lamp,view'].join('\n'), [...MAPPED, ...options])).items[0]!['event_id']
    expect(await ids(['--trim', '--null', 'x'])).toBe(await ids([]))
  })

  test.each(['1.23E+12', '1,23E+12', '17850.0', '17850,00', '="0042"'])('the id %s is counted as damaged', async (id) => {
    const rows = [id, 'lamp', id, '12E4', '1.5', '10-2'].map(
      (item) => `2026-03-01Z;ada;${item.includes('"') ? `"${item.replaceAll('"', '""')}"` : item};view`,
    )
    const { items, warnings } = await mapFile('a.csv', [HEADER.replaceAll(',', ';'), ...rows].join('\n'), MAPPED)
    expect(items).toHaveLength(5)
    expect(warnings).toEqual([`2 ids may be damaged by a spreadsheet, e.g. ${JSON.stringify(id)}: export the column as text.`])
  })
})

describe('values inside of JSON', () => {
  const ORDER = {
    messageId: '0e3b1c1e-0000-4000-8000-000000000000',
    timestamp: '2026-03-01T12:00:00Z',
    userId: 'ada',
    properties: {
      coupon: { code: 'x' },
      products: [
        { product_id: 'lamp', price: 2, tags: ['a', 'b'] },
        { product_id: 'desk', price: 3, tags: [] },
      ],
    },
  }
  const PATHS = [
    'event_id=messageId',
    'occurred_at=timestamp',
    'account_id=userId',
    'ref_id=properties.products[].product_id',
    'metadata.price=properties.products[].price',
    'metadata.coupon=properties.coupon.code',
  ].flatMap((rule) => ['--map', rule])
  const PURCHASE = ['--set', 'event_type=purchase']

  test('a path with [] gives an item for each element, each with an id of its own', async () => {
    const { items } = await mapFile('a.jsonl', `${JSON.stringify(ORDER)}\n`, [...PATHS, ...PURCHASE])
    expect(items).toMatchObject([
      { event_id: ORDER.messageId, account_id: 'ada', ref_id: 'lamp', metadata: { price: 2, coupon: 'x' } },
      { event_id: expect.stringMatching(/-8.{3}-/), account_id: 'ada', ref_id: 'desk', metadata: { price: 3, coupon: 'x' } },
    ])
    const withoutIds = [...PATHS.slice(2), ...PURCHASE]
    const twice = await mapFile('a.jsonl', `${JSON.stringify(ORDER)}\n${JSON.stringify(ORDER)}\n`, withoutIds)
    expect(twice).toMatchObject({ items: [{ ref_id: 'lamp' }, { ref_id: 'desk' }], duplicates: 2 })
  })

  test('lists in lists, places in lists, and conditions on elements', async () => {
    const rules = [
      'occurred_at=timestamp',
      'account_id=userId',
      'ref_id=properties.products[].product_id',
      'session_id=properties.products[].tags[]',
      'metadata.first=properties.products[0].product_id',
    ].flatMap((rule) => ['--map', rule])
    const { items } = await mapFile('a.json', JSON.stringify([ORDER], null, 2), [
      ...rules,
      '--set',
      'event_type=view if properties.products[].price > 2',
      '--set',
      'event_type=cart',
    ])
    expect(items).toMatchObject([
      { ref_id: 'lamp', session_id: 'a', event_type: 'cart', metadata: { first: 'lamp' } },
      { ref_id: 'lamp', session_id: 'b', event_type: 'cart' },
      { ref_id: 'desk', event_type: 'view' },
    ])
  })

  test('an element can be named by a property', async () => {
    const params = [
      { key: 'page', value: { string_value: 'home' } },
      { key: 'ga_session_id', value: { int_value: '17' } },
    ]
    const rules = ['occurred_at=timestamp', 'ref_id=items[].id', 'session_id=params[key=ga_session_id].value.int_value'].flatMap(
      (rule) => ['--map', rule],
    )
    const events = [
      { timestamp: '2026-03-01Z', params, items: [{ id: 'lamp' }] },
      { timestamp: '2026-03-01Z', params: [], items: [{ id: 'desk' }] },
    ]
    const { items, refused } = await mapFile('a.json', JSON.stringify(events), [
      ...rules,
      '--set',
      'event_type=view if "params[key=page].value.string_value" = home',
    ])
    expect(items).toMatchObject([{ ref_id: 'lamp', session_id: '17', event_type: 'view' }])
    expect(refused).toHaveLength(1)
  })

  test('a record without the list has a row, and its refusal names the record', async () => {
    const { properties: _properties, ...view } = ORDER
    const rules = [...PATHS, '--map', 'ref_id=product', ...PURCHASE, '--allow-missing']
    const file = [
      { ...view, product: 'chair' },
      { ...ORDER, messageId: '0e3b1c1e-0000-4000-8000-000000000001', product: 'x', properties: { products: [] } },
      { ...ORDER, product: null, properties: { products: [{ price: 1 }, { product_id: 'lamp' }] } },
    ]
    const { items, refused } = await mapFile('a.json', JSON.stringify(file), rules)
    expect(items).toMatchObject([{ ref_id: 'chair' }, { ref_id: 'x' }, { ref_id: 'lamp' }])
    expect(refused).toEqual([{ line: 1, field: 'ref_id', reason: 'no rule gives ref_id a value' }])
  })

  test('a cell of CSV may be a text of JSON', async () => {
    const file = `time\tuser\titems\n2026-03-01\tada\t${JSON.stringify(ORDER.properties.products)}\n2026-03-01\tben\t[{\n`
    const { items, refused } = await mapFile('a.tsv', file, [
      ...['occurred_at=time', 'account_id=user', 'ref_id=items[].product_id'].flatMap((rule) => ['--map', rule]),
      ...PURCHASE,
    ])
    expect(items).toMatchObject([{ ref_id: 'lamp' }, { ref_id: 'desk' }])
    expect(refused).toMatchObject([{ line: 3, field: 'ref_id' }])
  })

  test.each([
    [['lamp'], 'is a list and not a text'],
    [{ id: 'lamp' }, 'is an object and not a text'],
    [[], 'is a list and not a text'],
  ])('%j is no id', async (product, reason) => {
    const { items, refused } = await mapFile('a.json', JSON.stringify([{ ...ORDER, product }]), [
      ...PATHS.slice(0, 6),
      '--map',
      'ref_id=product',
      ...PURCHASE,
    ])
    expect(items).toEqual([])
    expect(refused[0]).toMatchObject({ field: 'ref_id', reason: expect.stringContaining(reason) })
  })

  test('a list is no category and no name of a product', async () => {
    const { refused } = await mapFile(
      'a.json',
      JSON.stringify([
        { product_id: 1, name: 'A', category: ['x'] },
        { product_id: 2, name: { en: 'B' } },
      ]),
      ['--products'],
    )
    expect(refused.map(({ field }) => field)).toEqual(['category', 'name'])
  })

  test('a misspelt path is refused with the paths that there are', async () => {
    await expect(
      mapFile('a.json', JSON.stringify([ORDER]), [
        ...PATHS.slice(0, 6),
        '--map',
        'ref_id=properties.products[].sku',
        ...PURCHASE,
      ]),
    ).rejects.toThrow(
      'has no column "properties.products[].sku" (--allow-missing reads it as empty); it has "messageId", "properties", "timestamp", "userId", and in them "properties.coupon", "properties.coupon.code", "properties.products", "properties.products[]", "properties.products[].product_id"',
    )
  })
})
