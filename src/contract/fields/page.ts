import { z } from 'zod'
import { wholeNumber } from './whole-number.ts'

const LIMIT_MAX = 100
export const OFFSET_MAX = 1_000_000
const CURSOR_CHARACTERS_MAX = 2_000

/** How many entries a page has, e.g. "Products of the page." */
export function pageLimit(defaultLimit: number, description: string) {
  return wholeNumber(1, LIMIT_MAX).default(defaultLimit).describe(description)
}

export const PageOffset = wholeNumber(0, OFFSET_MAX).default(0).describe('How many entries to skip.')

/** Continues a list; `description` says where the cursor comes from and what else must stay the same. */
export function pageCursor(description = 'meta.next_cursor of the previous page.') {
  return z.string().min(1).max(CURSOR_CHARACTERS_MAX).optional().describe(description)
}

export const NextCursor = z.string().nullable().describe('Asks for the next page; null on the last page.')
