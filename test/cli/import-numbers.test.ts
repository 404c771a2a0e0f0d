import { expect, test } from 'vitest'
import { mapFile } from '../harness/items/mapped-files.ts'

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
  ['1.500', AUTO, 'KWD', 1_500],
  ['1.500', ['--price-decimals', '3'], 'KWD', 1_500],
  ['0.500', AUTO, 'EUR', 50],
  ['12.5000', AUTO, 'EUR', 1_250],
  ['1500.000', AUTO, 'EUR', 150_000],
  ['1.500', POINT, 'EUR', 150],
  ['1.500', COMMA, 'EUR', 150_000],
  ['1.000', [...AUTO, '--decimal', ','], 'JPY', 1_000],
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
  ['1.500', ['--price-decimals', '2'], 'EUR', '"1.500" may be 1500 or 1.5 (give --decimal , or --decimal .)'],
  ['1.505', ['--price-decimals', '2'], 'EUR', '"1.505" has more than 2 decimals'],
  ['1.000', AUTO, 'JPY', '"1.000" may be 1000 or 1'],
  ['EUR 1.500', AUTO, 'EUR', '"EUR 1.500" may be 1500 or 1.5'],
  [
    '1500.00',
    ['--price-decimals', '2'],
    'JPY',
    '"1500.00" would have 2 decimals by --price-decimals, and JPY has 0 (give --price-decimals auto)',
  ],
  ['1500', POINT, 'KWD', '"1500" would have 2 decimals by --price-decimals, and KWD has 3'],
  ['19', ['--price-decimals', '0'], 'EUR', '"19" would have 0 decimals by --price-decimals, and EUR has 2'],
  ['1.990', AUTO, 'CLP', '"1.990" has more than 0 decimals, and CLP has 0 (--decimal , reads thousands)'],
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
  const rules = ['--map', 'occurred_at=time', '--map', 'account_id=user', '--map', 'ref_id=item', '--map', 'metadata.price=price']
  const types = ['--set', 'event_type=purchase if count >= 1', '--set', 'event_type=view if count < 0.6']
  const { items } = await mapFile('a.csv', file, [...rules, ...types, '--decimal', ','])
  expect(items).toMatchObject([
    { event_type: 'view', metadata: { price: 1234.5 } },
    { event_type: 'purchase', metadata: { price: 'x' } },
  ])
  const { items: products } = await mapFile('a.csv', 'product_id;name;quantity\na;A;1.200\n', ['--products', '--decimal', ','])
  expect(products).toMatchObject([{ quantity: 1_200 }])
})

test('a number of JSON is compared as it is, and a text by the decimal mark', async () => {
  const record = { occurred_at: '2026-03-01Z', account_id: 'ada', ref_id: 'lamp' }
  const prices = [234.567, 2.5, '234.567', '2,5']
  const types = ['--set', 'event_type=purchase if price > 1000', '--set', 'event_type=view if price > 1']
  const { items } = await mapFile('a.json', JSON.stringify(prices.map((price) => ({ ...record, price }))), [
    ...types,
    ...['occurred_at', 'account_id', 'ref_id'].flatMap((name) => ['--map', `${name}=${name}`]),
    '--decimal',
    ',',
  ])
  expect(items.map((item) => item['event_type'])).toEqual(['view', 'view', 'purchase', 'view'])
})

test('an account number has no thousands separators', async () => {
  const file =
    'occurred_at;account_number;session_id;ref_id;event_type\n2026-03-01Z;12.345;s;a;view\n2026-03-01Z;12345;s;b;view\n'
  const { items, refused } = await mapFile('a.csv', file, ['--decimal', ','])
  expect(items).toMatchObject([{ account_number: '12345', ref_id: 'b' }])
  expect(refused).toMatchObject([{ line: 2, field: 'account_number' }])
})
