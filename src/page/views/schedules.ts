import type { ScheduleState, TaskRun } from '../../contract/schedule.ts'
import { badge, type Tone } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { ago, dash, instant, number } from '../components/value.ts'
import { html, type Node } from '../template/html.ts'

const OUTCOME_TONES: Record<TaskRun['outcome'], Tone> = {
  running: 'accent',
  completed: 'good',
  failing: 'warn',
  failed: 'bad',
  killed: 'bad',
}

/** Periodic tasks, and how their last runs ended. */
export function schedulesTable(rows: readonly ScheduleState[], nowMs: number): Node {
  return table<ScheduleState>({
    caption: 'Periodic tasks with their last runs',
    columns: [
      { head: 'Task', cell: ({ task }) => task, isHead: true },
      {
        head: 'Last run',
        cell: ({ last_run: run }) =>
          run === null ? dash() : [badge(run.outcome, OUTCOME_TONES[run.outcome]), ' ', ago(run.started_at, nowMs), errorOf(run)],
      },
      { head: 'Duration (ms)', cell: ({ last_run }) => number(last_run?.duration_ms), isNumber: true, shown: 'medium' },
      {
        head: 'Interval (s)',
        cell: ({ every_ms }) => number(every_ms === null ? null : every_ms / 1_000),
        isNumber: true,
        shown: 'medium',
      },
      { head: 'Next', cell: ({ running, next_at }) => (running ? instant(next_at) : badge('off', 'warn')), shown: 'medium' },
    ],
    rows,
    idOf: ({ task }) => task,
  })
}

function errorOf({ error, outcome }: TaskRun): Node {
  return error !== null && outcome !== 'completed' && html`<br /><span class="quiet">${error}</span>`
}
