import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { refreshRising } from '../../src/store/popularity/rising.ts'
import { refreshTrending } from '../../src/store/popularity/trending-window.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const REFRESH_POPULARITY: Task = {
  description: 'drops from trending what left its window, and computes what rises',
  everyMs: HOUR_MS / 2,
  isOn: () => true,
  run: async ({ background }, ctx) => {
    await step(ctx, 'move the trending window', async () => {
      await refreshTrending(background)
    })
    const nowMs = await ctx.date.now()
    await step(ctx, 'compute what rises', () => refreshRising(background, nowMs))
  },
}
