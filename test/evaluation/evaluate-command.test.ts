import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { jsonOf, linesOf, TABLE_WIDTH, tableOf } from '../../src/cli/evaluate/output.ts'
import { createRandom, sampleOf } from '../../src/ranking/evaluation/random.ts'
import { METHODS } from '../../src/cli/evaluate/plan.ts'
import { readData } from '../../src/cli/evaluate/read-data.ts'
import { methodsOf, runEvaluation } from '../../src/cli/evaluate/run.ts'
import { tableLines } from '../../src/cli/evaluate/table.ts'
import { evaluate, fileOf, folder, planOf, withFolder } from './evaluating.ts'

withFolder()

/** Shoppers go from one product to the next one on a ring. */
const RING = Array.from({ length: 40 }, (_, shopper) =>
  ['u' + shopper, ...Array.from({ length: 5 }, (_, step) => `p${(shopper + step) % 20}`)].join(' '),
).join('\n')

test('the next product on a ring is found, by a file of sequences, also when it is compressed', async () => {
  const plain = await evaluate(await fileOf('ring.txt', RING))
  expect(plain.json).toMatchObject({
    protocol: 'leave-one-out',
    method: 'cooccurrence',
    shoppers: 40,
    products: 20,
    events: 200,
    cases: 40,
    hr_at_10: 1,
    refit: { hr_at_10: 1 },
    baselines: { last_seen: { hr_at_10: 0 } },
  })
  expect(plain.json['ndcg_at_10']).toBeGreaterThan(0.9)
  const packed = await evaluate(await fileOf('ring.gz', RING))
  expect(packed.json).toEqual(plain.json)
})

test('the same seed gives the same figures, to the digit', async () => {
  const path = await fileOf('ring-2.txt', RING)
  const run = async (seed: string) =>
    (await evaluate(path, '--cases', '7', '--seed', seed, '--tune', '--method', 'cooccurrence')).json
  const first = await run('3')
  expect(await run('3')).toEqual(first)
  expect(first['cases']).toBe(7)
  const options = [path, '--cases', '7', '--seed', '3', '--tune', '--method', 'cooccurrence']
  const threads = await runEvaluation({ ...(await planOf(...options)), threads: 3 }, () => undefined)
  expect(jsonOf(threads)).toEqual(first)
})

test('rows of MovieLens are read with the names of their columns', async () => {
  const rows = RING.split('\n').flatMap((line) => {
    const [user, ...items] = line.split(' ')
    return items.map((item, at) => `${user}\t${item}\t4\t${874_965_000 + at}`)
  })
  const path = await fileOf('u.data', rows.toReversed().join('\n'))
  const { json } = await evaluate(path, '--columns', 'user,item,rating,timestamp', '--protocol', 'leave-one-out')
  expect(json).toMatchObject({ cases: 40, hr_at_10: 1, shoppers: 40 })
})

test('columns are found by their usual names, mapped, and rows that cannot be read are left out', async () => {
  const text = [
    'SessionId,ItemId,Time,Other',
    '1,a,2026-03-01T00:00:00Z,x',
    '1,b,2026-03-01T00:00:01Z,y',
    '2,,2026-03-01T00:00:01Z,y',
    '3,a,soon,z',
  ].join('\n')
  const path = await fileOf('rows.csv', text)
  const { evaluation } = await evaluate(path, '--protocol', 'session', '--test-from', '2026-03-01T00:00:00Z')
  expect(evaluation.notes[0]).toBe(
    `${path}: shopper=SessionId, product=ItemId, time=Time; 2 rows were left out (line 4: it has no product).`,
  )
  const mapped = await evaluate(path, '--protocol', 'session', '--test-from', '2026-03-01T00:00:00Z', '--map', 'product=Other')
  expect(mapped.evaluation.notes[0]).toContain('product=Other')
})

test('dates whose order is not clear need it', async () => {
  const path = await fileOf('dates.csv', 'user,item,date\na,1,02/01/2026\na,2,01/02/2026\na,3,13/02/2026\n')
  const run = async (...args: string[]) => (await evaluate(path, '--protocol', 'leave-one-out', ...args)).json['events']
  expect(await run('--time-format', 'dmy')).toBe(3)
  await expect(run()).rejects.toThrow('has no events: all 3 rows were left out (line 2: "02/01/2026" is not a time).')
})

test('sessions ask for each next click, also in files without ids', async () => {
  const train = await fileOf('train.txt', '[[1,2,1,2],[2,1],[3,4],[4,3]]')
  const sessions = await fileOf('sessions.txt', '1 2 1\n3,4\n')
  const { json } = await evaluate('--train', train, '--test', sessions, '--protocol', 'session', '--no-ids', '--k', '1,2')
  expect(json).toMatchObject({ cases: 3, shoppers_asked: 2, protocol: 'session' })
  expect(json['hr_at_2']).toBe(1)
  const last = await evaluate('--train', train, '--test', sessions, '--protocol', 'session', '--no-ids', '--last-only')
  expect(last.json['cases']).toBe(2)
})

describe('a given split', () => {
  const files = async () => ({
    train: await fileOf('given-train.txt', 'a 1 2\nb 1 2 3\nc 2 3\nd 1'),
    right: await fileOf('given-test.txt', 'a 3\nd 2 3'),
  })

  test('asks for all products of a shopper at once', async () => {
    const { train, right } = await files()
    const { json } = await evaluate('--train', train, '--test', right, '--method', 'jaccard', '--k', '1,2')
    expect(json).toMatchObject({
      protocol: 'given',
      method: 'jaccard',
      cases: 2,
      hr_at_1: 1,
      recall_at_1: 0.75,
      recall_at_2: 1,
      precision_at_2: 0.75,
    })
  })

  test('chooses the method on the validation', async () => {
    const { train, right } = await files()
    const { json, evaluation } = await evaluate('--train', train, '--test', right, '--tune')
    expect(json['is_chosen_by_validation']).toBe(true)
    const ndcgs = [evaluation.chosen, ...evaluation.others].map(({ ndcg }) => ndcg)
    expect(evaluation.chosen.ndcg).toBe(Math.max(...ndcgs))
    expect(linesOf(evaluation).below.join(' ')).toContain('Chosen on the validation')
  })
})

test('ridge is left out where too many products have a shopper in common, and refused when it is asked for', async () => {
  const random = createRandom(1)
  const lists = Array.from({ length: 40 }, (_, shopper) => `u${shopper} ${idsOf(sampleOf(6_000, 2_600, random))}`)
  const path = await fileOf('dense.txt', lists.join('\n'))
  const chooseFrom = async (method: string) => {
    const plan = await planOf(path, '--method', method)
    const data = await readData(plan, () => Promise.reject(new Error('of no use')))
    return { methods: methodsOf(plan, data), notes: data.notes }
  }
  await expect(chooseFrom('ridge')).rejects.toThrow('Leave out --method ridge')
  const { methods, notes } = await chooseFrom('auto')
  expect(methods).toEqual(['cooccurrence', 'jaccard'])
  expect(notes.join(' ')).toContain('ridge was left out')
})

const idsOf = (numbers: ArrayLike<number>) => Array.from(numbers, (number) => `p${number}`).join(' ')

test('attributes recommend a product that nobody had yet', async () => {
  const events = Array.from({ length: 50 }, (_, shopper) => `u${shopper} p${shopper} q${shopper} r${shopper}`)
  const path = await fileOf('cold.txt', events.join('\n'))
  const attributes = await fileOf(
    'attributes.json.gz',
    JSON.stringify(
      Object.fromEntries(
        Array.from({ length: 50 }, (_, one) => ['p', 'q', 'r'].map((name) => [`${name}${one}`, [one, 'b']])).flat(),
      ),
    ),
  )
  expect((await evaluate(path)).json).toMatchObject({ hr_at_10: 0, new_targets: 1, new_products_at_10: 0 })
  // Without any pair there is no similarity whose median could be the measure of content.
  const text = [...events, 'x a b c d', 'y a b c d'].join('\n')
  const { json } = await evaluate(await fileOf('warm.txt', text), '--attributes', attributes)
  expect(json['hr_at_10']).toBeGreaterThan(0.9)
  expect(json['new_products_at_10']).toBeGreaterThan(0)
})

test('the table has a row for each ranking', async () => {
  const { evaluation } = await evaluate(await fileOf('ring-3.txt', RING))
  expect(Object.keys(tableOf(evaluation))).toEqual([
    'cooccurrence, test',
    'cooccurrence, refit',
    'cooccurrence, validation',
    'popularity, test',
    'last seen, test',
  ])
  expect(tableOf(evaluation)['cooccurrence, test']!['HR@10']).toMatch(/^1\.0000 \(\d\.\d{4}–1\.0000\)$/)
})

test.each(METHODS)('a product of the test alone is a miss in a small catalogue, by %s', async (method) => {
  const { json } = await evaluate(await fileOf('new.txt', 'ann a b c d e\nbob a b a c f'), '--method', method)
  const none = { hr_at_10: 0, new_targets: 1 }
  expect(json).toMatchObject({ ...none, cases: 2, products: 6, baselines: { popularity: none, last_seen: none } })
  const [low, high] = (json['confidence_95'] as unknown as { hr_at_10: number[] }).hr_at_10
  expect(low).toBe(0)
  expect(high).toBeGreaterThan(0.5)
})

test('the first example of the documentation shows what a ranking is worth', async () => {
  const lines = Array.from({ length: 60 }, (_, s) => `u${s} p${s % 30} p${(s + 1) % 30} p${(s * s + 2) % 30} p${(s + 3) % 30}`)
  const table = tableOf((await evaluate(await fileOf('example.txt', lines.join('\n')))).evaluation)
  expect(table['cooccurrence, test']!['HR@10']).toBe('0.6667 (0.5464–0.7870)')
  expect(table['popularity, test']!['NDCG@10']).toBe('0.1834 (0.1185–0.2482)')
})

test('the table of a usual evaluation fits 100 columns, and more lengths of lists follow below', async () => {
  const { evaluation } = await evaluate(await fileOf('ring-4.txt', RING), '--k', '5,10,20,50')
  const lines = tableLines(tableOf(evaluation), TABLE_WIDTH)
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(100)
  expect(lines[0]).toMatch(/^ +HR@5 +NDCG@5 +MRR@5$/)
  expect(lines.filter((line) => line.startsWith('popularity, test')).length).toBeGreaterThan(1)
  expect(lines.join('\n')).not.toContain("'")
})

describe('what cannot be', () => {
  test.each([
    [['--test', 'x', '--protocol', 'leave-one-out', 'y'], 'leave out --protocol'],
    [['--map', 'time=x'], 'are for files'],
    [['--protocol', 'session'], 'are for files'],
    [['a', '--train', 'b'], 'given twice'],
    [['a', '--save'], 'give --tune too'],
    [['a', '--save', '--tune', '--method', 'ridge'], 'not of ridge'],
    [['a', '--save', '--tune', '--set', 'rho=1'], 'leave out --set'],
    [['a', '--save', '--tune', '--protocol', 'session'], 'does not serve'],
    [['a', '--k', '10,10'], 'appears twice'],
    [['a', '--set', 'alhpa=1'], 'with the name'],
    [['a', '--set', 'alpha'], 'with the name'],
    [['a', '--set', 'repeats=1'], 'with the name'],
    [['a', '--set', 'alpha=-1'], 'alpha is a number from 0 to 10'],
    [['a', '--set', 'alpha=NaN'], 'alpha is a number from 0 to 10'],
    [['a', '--set', 'kappa=Infinity'], 'kappa is a number from 0 to 1,000,000'],
    [['a', '--set', 'rho=1e999'], 'rho is a number'],
    [['a', '--set', 'decay=1.1'], 'decay is a number from 0 to 1'],
    [['a', '--set', 'window=0'], 'window is a whole number from 1 to 32,767'],
    [['a', '--set', 'window=99999999'], 'window is a whole number'],
    [['a', '--set', 'neighboursMax=1e9'], 'neighboursMax is a whole number from 1 to 1,000'],
    [['a', '--set', 'historyMax=1.5'], 'historyMax is a whole number'],
    [['a', '--map', 'user=x'], 'with the field'],
    [['a', '--test-from', 'soon'], 'It is a time'],
  ])('%j', async (args, problem) => {
    await expect(planOf(...args)).rejects.toThrow(problem)
  })

  test.each([
    [['no-such-file'], 'there is no such file'],
    [['none.txt'], 'has nothing to ask'],
    [['none.txt', '--protocol', 'time-split'], 'needs times'],
    [['none.txt', '--format', 'csv', '--map', 'product=sku'], 'has no column "sku"'],
    [['none.txt', '--attributes', 'none.txt'], 'cannot be read'],
    [['list.json'], 'is none'],
    [['header.csv'], 'has no events: it has no rows.'],
    [['header.csv', '--protocol', 'session'], 'it has no rows.'],
    [['unread.csv'], 'has no events: all 2 rows were left out (line 2: "soon" is not a time).'],
    [['blank.txt'], 'has no events: it is empty.'],
    [['alone.txt'], 'none of its 2 lines has a product.'],
    [['none.txt', '--test', 'blank.txt'], 'blank.txt has no events'],
    [['none.txt', '--protocol', 'session', '--test-from', '5'], '--test-from needs events with times'],
  ])('%j', async (args, problem) => {
    await fileOf('none.txt', 'a,b\n1,2\n')
    await fileOf('list.json', '[1, 2')
    await fileOf('header.csv', 'user,item,time\n')
    await fileOf('unread.csv', 'user,item,time\na,1,soon\nb,2,later\n')
    await fileOf('blank.txt', '\n\n')
    await fileOf('alone.txt', 'ann\nbob\n')
    const paths = args.map((arg) => (arg.includes('.') ? join(folder, arg) : arg))
    await expect(evaluate(...paths)).rejects.toThrow(problem)
  })
})
