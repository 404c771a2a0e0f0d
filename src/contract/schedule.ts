import { z } from 'zod'

/** What Footfall does by the clock. */
export const TASK_NAMES = [
  'sweep',
  'make-partitions',
  'refresh-popularity',
  'retention',
  'roll-up',
  'refresh-reports',
  'watch-runs',
  'drop-buckets',
] as const
export type TaskName = (typeof TASK_NAMES)[number]

export const ScheduleRequest = z.strictObject({ every_ms: z.int().min(100).max(86_400_000) })

/** One slot of a schedule: the instant for which a run was planned, in milliseconds. */
export const Slot = z.strictObject({ generation: z.int(), slot: z.int() })
export type Slot = z.infer<typeof Slot>
export const LatestSlot = z.object({ slot: z.int().nullable() })
export const RunRequest = z.strictObject({ slot: z.int() })

/**
 * running ─► completed | failing | killed;  failing ─► completed | failed | killed. A failing run is tried again, a failed one
 * has used up its attempts, and a killed one was ended by hand or kept dying with its process: the next slot tries anew.
 */
export const OUTCOMES = ['running', 'completed', 'failing', 'failed', 'killed'] as const

export const TaskRun = z.object({
  slot: z.iso.datetime().describe('The instant for which it was planned.'),
  started_at: z.iso.datetime(),
  duration_ms: z.int().nullable().describe('null while it runs, and when it was killed.'),
  outcome: z.enum(OUTCOMES).describe('A failing run is tried again. After a failed or a killed one the next slot tries anew.'),
  attempts: z.int().describe('How often it was tried so far.'),
  error: z.string().nullable().describe('What the last attempt that failed died of.'),
})
export type TaskRun = z.infer<typeof TaskRun>
export const LastRunRequest = z.strictObject({
  ended: z.string().optional().describe('An invocation that has ended: when the last run is still its, it was killed.'),
})
export const LastRun = z.object({ run: TaskRun.nullable() })

export const ScheduleState = z.object({
  task: z.string(),
  running: z.boolean().describe('Whether the schedule is on.'),
  every_ms: z.int().nullable().describe('Its interval; null while it is off.'),
  next_at: z.iso.datetime().nullable().describe('The next slot; null while it is off. One that is long past was lost.'),
  last_run: TaskRun.nullable().describe('null before the first.'),
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
