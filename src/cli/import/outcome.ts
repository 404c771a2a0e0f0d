const SOME_REFUSED = 3
const ALL_REFUSED = 4

/**
 * The exit status of an import that went to its end: 0 when every row is recorded, now or before, 3 when some rows were refused, 4 when
 * all were or there was none. A preset may leave out all rows: nothing was imported then either.
 */
export function exitStatusOfRows({ rows, refused }: { rows: number; refused: number }): number {
  if (refused === rows) return ALL_REFUSED
  return refused === 0 ? 0 : SOME_REFUSED
}
