import { appendFileSync, closeSync, openSync, rmSync } from 'node:fs'
import { fileProblem } from './file-problem.ts'
import type { Refusal } from './mapping.ts'
import { type BrokenRow, isBroken, type Row, shownRow } from './row.ts'

export interface RefusedRow extends Refusal {
  row: Row | BrokenRow
}

/**
 * The rows that were refused, one JSON line each; the file exists only when there is one. Writing waits for the disk, so
 * that a file of nothing but bad rows does not pile up in memory; it is done once per chunk.
 */
export class RejectedFile {
  readonly path: string
  #file: number | undefined

  /** Removes what an earlier run left, which would be taken for this one's. */
  constructor(path: string) {
    this.path = path
    this.#write(() => rmSync(path, { force: true }))
  }

  add(file: string, refused: readonly RefusedRow[]): void {
    if (refused.length === 0) return
    const lines = refused.map(({ row, reason, field }) =>
      JSON.stringify({ file, line: row.line, reason, field, row: isBroken(row) ? row.text : shownRow(row) }),
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
