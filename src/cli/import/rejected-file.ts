import { appendFileSync, closeSync, openSync, rmSync, statSync } from 'node:fs'
import { fileProblem } from './source/file-problem.ts'
import type { RowRejection } from './mapping/row-rejection.ts'
import { type BrokenRow, isBroken, type Row, shownRow } from './source/row.ts'
import { shown } from './source/text-decoder.ts'

export interface RejectedRow extends RowRejection {
  row: Row | BrokenRow
}

/**
 * The rejected rows, one JSON line each; the file exists only when there is a rejected row. Writes are synchronous, once per
 * chunk, because the rows of a file with only bad rows would otherwise pile up in memory.
 */
export class RejectedFile {
  readonly path: string
  #file: number | undefined

  /** Removes the file of an earlier run, because it would look like the result of this run. A device such as /dev/null stays. */
  constructor(path: string) {
    this.path = path
    this.#write(() => {
      if (statSync(path, { throwIfNoEntry: false })?.isFile()) rmSync(path)
    })
  }

  add(file: string, rejected: readonly RejectedRow[]): void {
    if (rejected.length === 0) return
    const lines = rejected.map(({ row, reason, field }) =>
      JSON.stringify({ file, line: row.line, reason, field, row: isBroken(row) ? shown(row.text) : shownRow(row) }),
    )
    this.#write(() => {
      this.#file ??= openSync(this.path, 'w')
      appendFileSync(this.#file, `${lines.join('\n')}\n`)
    })
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #write(change: () => void): void {
    try {
      change()
    } catch (error) {
      throw fileProblem(this.path, 'written', error)
    }
  }
}
