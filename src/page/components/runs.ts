import type { RunStatus } from '../../contract/recompute-run.ts'
import { html, type Node } from '../template/html.ts'
import { actionForm } from './form.ts'
import { badge, progress, type Tone } from './panel.ts'
import { type Column, table } from './table.ts'
import { ago } from './value.ts'

/** What all runs have. */
export interface Run {
  id: string
  status: RunStatus
  progress: { done: number; total: number }
  requested_at: string
  finished_at?: string | undefined
  error_message?: string | undefined
}

export interface RunsOf<Each extends Run> {
  caption: string
  rows: readonly Each[]
  nowMs: number
  canCancel: boolean
}

export const RUN_TONES: Record<RunStatus, Tone> = {
  pending: 'neutral',
  running: 'accent',
  completed: 'good',
  failed: 'bad',
  cancelled: 'warn',
}

/** Runs with what becomes of them; an open one can be cancelled by the action `cancel` with the field `id`. */
export function runsTable<Each extends Run>({ caption, rows, nowMs, canCancel }: RunsOf<Each>, about: Column<Each>): Node {
  const canCancelOne = canCancel && rows.some(isOpen)
  return table<Each>({
    caption,
    columns: [
      about,
      { head: 'State', cell: stateOf },
      { head: 'Requested', cell: ({ requested_at }) => ago(requested_at, nowMs), shown: 'medium' },
      ...(canCancelOne
        ? [
            {
              head: 'Change',
              cell: (run: Each) => isOpen(run) && actionForm('cancel', [{ kind: 'hidden', name: 'id', value: run.id }], 'Cancel'),
            },
          ]
        : []),
    ],
    rows,
    idOf: ({ id }) => id,
  })
}

export function isOpen({ status }: Pick<Run, 'status'>): boolean {
  return status === 'pending' || status === 'running'
}

function stateOf({ status, progress: { done, total }, error_message }: Run): Node {
  return [
    badge(status, RUN_TONES[status]),
    status === 'running' && [
      ' ',
      progress(done, total, `${done} of ${total} parts are done`),
      html` <span class="quiet">${done} of ${total}</span>`,
    ],
    error_message !== undefined && html`<br /><span class="quiet">${error_message}</span>`,
  ]
}
