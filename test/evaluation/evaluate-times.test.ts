import { describe, expect, test } from 'vitest'
import { evaluateCommand } from '../../src/cli/commands/evaluate.ts'
import { runCommand } from '../harness/programs/command.ts'
import { evaluate, fileOf, withFolder } from './evaluating.ts'

withFolder()

describe('times of a split', () => {
  /** Twenty shoppers have a product an hour, on five days of March 2026. */
  const timed = (timeOf: (ms: number) => string | number) =>
    [
      'user,item,time',
      ...Array.from(
        { length: 100 },
        (_, at) => `u${at % 20},p${(at % 20) + Math.floor(at / 20)},${timeOf(Date.UTC(2026, 2, 1, at))}`,
      ),
    ].join('\n')
  const FORMS: Record<string, (ms: number) => string | number> = {
    iso: (ms) => new Date(ms).toISOString(),
    seconds: (ms) => ms / 1_000,
    milliseconds: (ms) => ms,
    nanoseconds: (ms) => `${ms}000000`,
    excel: (ms) => ms / 86_400_000 + 25_569,
    dmy: (ms) => new Date(ms).toISOString().replace(/^(\d+)-(\d+)-(\d+)T(.{8}).*/, '$3/$2/$1 $4'),
  }
  const [FROM, TEST] = [Date.UTC(2026, 2, 3), Date.UTC(2026, 2, 4)]
  const run = async (form: string, validation: string | number, from: string | number) => {
    const args = form === 'excel' || form === 'dmy' ? ['--time-format', form] : []
    args.push('--method', 'cooccurrence')
    const path = await fileOf(`${form}.csv`, timed(FORMS[form]!))
    const { json } = await evaluate(path, ...args, '--validation-from', String(validation), '--test-from', String(from))
    return json
  }

  test.each(Object.keys(FORMS))('are converted to those of the file: %s', async (form) => {
    const wanted = await run('iso', '2026-03-03', '2026-03-04')
    expect(wanted['cases']).toBe(28)
    expect(await run(form, '2026-03-03', '2026-03-04')).toEqual(wanted)
    expect(await run(form, FORMS[form]!(FROM), FORMS[form]!(TEST))).toEqual(wanted)
    expect(await run(form, FROM / 1_000, TEST / 1_000)).toEqual(wanted)
  })

  test('of before 2000 have a unit too, and numbers without a unit take numbers alone', async () => {
    const early = await fileOf(
      'early.csv',
      timed((ms) => ms / 1_000 - 915_148_800),
    )
    const { json } = await evaluate(early, '--validation-from', '1997-03-03', '--test-from', '1997-03-04')
    expect(json['cases']).toBe(28)
    const plain = await fileOf(
      'plain.csv',
      timed((ms) => (ms - FROM) / 3_600_000 + 100),
    )
    expect((await evaluate(plain, '--validation-from', '100', '--test-from', '124')).json['cases']).toBe(28)
    const dated = evaluate(plain, '--validation-from', '2026-03-03', '--test-from', '124')
    await expect(dated).rejects.toThrow('it is a date, and the times of the events are not. Give a number such as 52')
    await expect(run('iso', 100, '2026-03-04')).rejects.toThrow('it is a number')
  })

  test('that differ in kind from the first one are left out', async () => {
    const path = await fileOf('mixed.csv', `${timed(FORMS['iso']!)}\nu1,p9,1772409600`)
    const { evaluation } = await evaluate(path)
    expect(evaluation.notes[0]).toContain('1 rows were left out (line 102: "1772409600" is a number, and the first time a date)')
  })

  test.each([
    [['--validation-from', '2026-03-04', '--test-from', '2026-03-03'], 'is not after --validation-from 2026-03-04'],
    [['--validation-from', '2026-03-04', '--test-from', '2026-03-04'], 'is not after --validation-from 2026-03-04'],
    [['--test-from', '2026-03-02'], 'give an earlier --validation-from too'],
    [['--validation-from', '2026-03-05T03:59'], 'give a later --test-from too'],
    [['--validation-from', '2026-03-04T00:01', '--test-from', '2026-03-04T00:02', '--tune'], 'it cannot choose'],
    [['--validation-from', '2026-03-04T00:01', '--test-from', '2026-03-04T00:02', '--method', 'ridge'], 'it cannot choose'],
    [['--validation-from', '03/04/2026'], 'no time as in the file'],
    [['--protocol', 'leave-one-out', '--test-from', '2026-03-03'], 'is for --protocol time-split'],
    [['--protocol', 'session', '--validation-from', '2026-03-03'], 'is for --protocol time-split'],
  ])('%j cannot be: exit 2', async (args, problem) => {
    const path = await fileOf('times.csv', timed(FORMS['iso']!))
    const { code, text } = await runCommand(evaluateCommand(), [path, ...args, '--workers', '1'], {})
    expect(text).toContain(problem)
    expect(code).toBe(2)
  })
})
