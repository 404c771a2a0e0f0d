import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readQuantity } from '../../src/cli/import/values/quantity.ts'
import { mapFile } from '../harness/items/mapped-files.ts'

const LENIENT = ['--products', '--lenient', '--price-decimals', '2']
const RANGE = 'is not a whole number from -9007199254740991 to 9007199254740991'

describe('a stock figure of CSV', () => {
  const read = async (stock: string, options: string[]) => {
    const { items, refused } = await mapFile('a.csv', `product_id;name;quantity\na;A;${stock}\n`, ['--products', ...options])
    return refused[0]?.reason ?? items[0]!['quantity']
  }

  test.each<[string, string[], number]>([
    ['12', [], 12],
    ['012', [], 12],
    [' 12 ', [], 12],
    ['+12', [], 12],
    ['12.0', [], 12],
    ['12.', [], 12],
    ['12.000', [], 12],
    ['0', [], 0],
    ['-0.0', [], 0],
    ['-3', [], -3],
    ['- 3', [], -3],
    ['-3.00', [], -3],
    ['\u22123', [], -3],
    ['3-', [], -3],
    ['(3)', [], -3],
    ['1,200', ['--decimal', '.'], 1_200],
    ['1.200', ['--decimal', ','], 1_200],
    ['-1.200,00', ['--decimal', ','], -1_200],
    ['1 200-', ['--decimal', ','], -1_200],
    ['9007199254740991', [], 2 ** 53 - 1],
    ['-9007199254740991', [], 1 - 2 ** 53],
  ])('%j with %j is %d', async (stock, options, quantity) => {
    expect(await read(stock, options)).toBe(quantity)
  })

  test.each<[string, string[], string]>([
    ['many', [], `"many" ${RANGE}`],
    ['12.5', [], `"12.5" ${RANGE}`],
    ['--3', [], `"--3" ${RANGE}`],
    ['(-3)', [], `"(-3)" ${RANGE}`],
    ['>100', [], `">100" ${RANGE}`],
    ['1e3', [], `"1e3" ${RANGE}`],
    ['9007199254740992', [], `"9007199254740992" ${RANGE}`],
    ['1,200', [], `"1,200" ${RANGE} (--decimal reads thousands and decimal commas)`],
    ['-1.200,00', [], `"-1.200,00" ${RANGE} (--decimal reads thousands and decimal commas)`],
    ['12,0', [], `"12,0" ${RANGE} (--decimal reads thousands and decimal commas)`],
    ['1,200', ['--decimal', ','], `"1,200" ${RANGE}`],
  ])('%j with %j names the value and the range', async (stock, options, reason) => {
    expect(await read(stock, options)).toBe(`${reason}; --lenient updates the rest of the product`)
  })
})

test('a stock figure of JSON is a number or a text, and nothing else', async () => {
  const written = ['12.0', '-3', '"12.0"', 'null', '1.5', '1e300', 'true', '[1]', '{"a":1}']
  const lines = written.map((quantity, index) => `{"product_id":"p${index}","name":"A","quantity":${quantity}}`)
  const { items, refused } = await mapFile('a.jsonl', lines.join('\n'), ['--products'])
  expect(items.map(({ quantity }) => quantity)).toEqual([12, -3, 12, undefined])
  expect(refused.map(({ field, reason }) => [field, reason.slice(0, reason.indexOf(' is not'))])).toEqual([
    ['quantity', '"1.5"'],
    ['quantity', '"1e+300"'],
    ['quantity', '"true"'],
    ['quantity', '"[1]"'],
    ['quantity', '"{\\"a\\":1}"'],
  ])
})

test('every whole number is read, with decimals and with any sign', () => {
  const ends = fc.constantFrom('', '.', '.0', '.000')
  fc.assert(
    fc.property(fc.maxSafeInteger(), ends, fc.boolean(), (number, end, isAfter) => {
      const digits = `${Math.abs(number)}${end}`
      const text = number >= 0 ? digits : isAfter ? `${digits}-` : `-${digits}`
      expect(readQuantity(text, {})).toBe(number)
    }),
  )
})

describe('--lenient', () => {
  const file = [
    'product_id,name,price,currency,quantity',
    'a,A,5.00,EUR,3',
    'b,B,5.00,EUR,many',
    'c,C,free,EUR,3',
    'd,D,5.00,Euro,3',
    'e,E,5.00,,lots',
    ',F,5.00,EUR,many',
  ].join('\n')

  test('updates the rest of a product, and counts what it left out', async () => {
    const { items, refused, warnings } = await mapFile('a.csv', file, LENIENT)
    expect(items.map(({ product_id: id, price, currency, quantity }) => [id, price, currency, quantity])).toEqual([
      ['a', 500, 'EUR', 3],
      ['b', 500, 'EUR', undefined],
      ['c', undefined, undefined, 3],
      ['d', undefined, undefined, 3],
      ['e', undefined, undefined, undefined],
    ])
    expect(refused).toEqual([{ line: 7, field: 'product_id', reason: 'no rule gives product_id a value' }])
    expect(warnings).toEqual([
      `3 values for quantity cannot be read and were left out, e.g. "many" ${RANGE}.`,
      '1 value for price cannot be read and was left out, e.g. "free" is not a price.',
      '2 values for currency cannot be read and were left out, e.g. "Euro" is not a currency.',
    ])
  })

  test('is needed for that', async () => {
    const { items, refused } = await mapFile('a.csv', file, ['--products', '--price-decimals', '2'])
    expect(items.map(({ product_id: id }) => id)).toEqual(['a'])
    expect(refused.map(({ line, field }) => [line, field])).toEqual([
      [3, 'quantity'],
      [4, 'price'],
      [5, 'currency'],
      [6, 'quantity'],
      [7, 'quantity'],
    ])
  })

  test('is refused for interactions', async () => {
    await expect(mapFile('a.csv', 'ref_id\na', ['--lenient'])).rejects.toThrow(
      '--lenient is for prices and quantities of products',
    )
  })
})

test('a figure whose point may separate thousands is read as decimals, and a warning says so', async () => {
  const rows = 'product_id,name,quantity\na,A,12.000\nb,B,1.000\nc,C,7'
  const { items, warnings } = await mapFile('a.csv', rows, ['--products'])
  expect(items.map(({ quantity }) => quantity)).toEqual([12, 1, 7])
  expect(warnings).toEqual([
    '2 stock figures may have thousands, e.g. "12.000", which was read as 12 (--decimal , reads thousands).',
  ])
})
