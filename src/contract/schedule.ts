import { z } from 'zod'
import { handler, Nothing, sharedHandler } from './handler.ts'

/** The names of the periodic tasks. */
export const TASK_NAMES = [
  'sweep',
  'make-partitions',
  'refresh-popularity',
  'retention',
  'roll-up',
  'refresh-reports',
  'watch-runs',
  'drop-buckets',
  'drop-rejected',
  'settle-again',
  'bring-recent',
  'refresh-similarity',
  'drop-impressions',
  'watch-alerts',
  'send-alerts',
  'drop-deliveries',
  'fold-metrics',
  'record-metrics',
  'drop-metric-history',
  'switch-tie-rule',
  'archive-metrics',
  'verify-daily',
  'fold-ingest',
  'fill-search',
  'watch-timeline',
] as const
export type TaskName = (typeof TASK_NAMES)[number]

export const ScheduleRequest = z.strictObject({ every_ms: z.int().min(100).max(86_400_000) })

/** One slot of a schedule: the instant for which a run was planned, in milliseconds since 1970. */
export const Slot = z.strictObject({ generation: z.int(), slot: z.int() })
export type Slot = z.infer<typeof Slot>
export const LatestSlot = z.object({ slot: z.int().nullable() })
export const RunRequest = z.strictObject({ slot: z.int() })

/**
 * running ─► completed | failing | killed;  failing ─► completed | failed | killed. A failing run is tried again. A failed run has
 * used up its attempts. A killed run was ended by an operator, or kept dying with its process. The next slot starts a new run.
 */
export const OUTCOMES = ['running', 'completed', 'failing', 'failed', 'killed'] as const

export const TaskRun = z.object({
  slot: z.iso.datetime().describe('The instant for which the run was planned.'),
  started_at: z.iso.datetime(),
  duration_ms: z.int().nullable().describe('null while it runs, and if it was killed.'),
  outcome: z
    .enum(OUTCOMES)
    .describe('A failing run is tried again. After a failed or a killed run the next slot starts a new one.'),
  attempts: z.int().describe('Attempts so far.'),
  error: z.string().nullable().describe('The error of the last attempt that failed.'),
})
export type TaskRun = z.infer<typeof TaskRun>
export const LastRunRequest = z.strictObject({
  ended: z
    .string()
    .optional()
    .describe('An invocation that has ended. If the last run belongs to it and has no end, the run was killed.'),
})
export const LastRun = z.object({ run: TaskRun.nullable() })

export const ScheduleState = z.object({
  task: z.string(),
  running: z.boolean().describe('Whether the schedule is on.'),
  every_ms: z.int().nullable().describe('Its interval; null while it is off.'),
  next_at: z.iso.datetime().nullable().describe('The next slot; null while it is off. If it is long past, its tick was lost.'),
  last_run: TaskRun.nullable().describe('null before the first run.'),
})
export type ScheduleState = z.infer<typeof ScheduleState>

export const SchedulesResponse = z.object({ data: z.array(ScheduleState) }).meta({
  examples: [
    {
      data: [
        {
          task: 'refresh-popularity',
          running: true,
          every_ms: 1_800_000,
          next_at: '2026-03-01T12:30:00.000Z',
          last_run: {
            slot: '2026-03-01T12:00:00.000Z',
            started_at: '2026-03-01T12:00:00.012Z',
            duration_ms: 148,
            outcome: 'completed',
            attempts: 1,
            error: null,
          },
        },
      ],
    },
  ],
})

export const scheduleHandlers = {
  Start: handler({
    input: ScheduleRequest,
    isForOperators: true,
    description: 'Starts the schedule of the task with this name. Repeating it with the same interval changes nothing.',
  }),
  Stop: handler({
    input: Nothing,
    isForOperators: true,
    description: 'Stops the schedule. A run that has begun continues to its end.',
  }),
  Info: sharedHandler({
    input: Nothing,
    output: ScheduleState,
    description: 'Whether the schedule is on, its next slot, and the last run.',
  }),
  Tick: handler({ input: Slot, description: 'Private. Begins one slot.' }),
  Latest: sharedHandler({ input: Nothing, output: LatestSlot, description: 'Private. The slot of the latest tick.' }),
}

export const taskHandlers = {
  Run: handler({ input: RunRequest, description: 'Private. Does the work of one slot. Runs of a task never overlap.' }),
  LastRun: sharedHandler({ input: LastRunRequest, output: LastRun, description: 'Private. The last run and its outcome.' }),
}
